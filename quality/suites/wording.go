package suites

import (
	"fmt"

	"chimera/quality/suite"
)

// This file owns nuances of how it is said: negation, idiom, register.

var wording = []template{
	{"did-not", "negation", func(d draws) question {
		o := d.some(2, objects)
		return question{input: fmt.Sprintf("%s did not take the %s, but did take the %s. What was not taken? Answer with one word.", d.of(people...), o[0], o[1]), checks: []suite.Check{contains(o[0]), absent(o[1]), words(3)}}
	}},
	{"double", "negation", func(d draws) question {
		return asked(yes(), "It is not untrue that the %s is open on %s. Is it open then?", d.of("shop", "library", "museum", "bank", "pool"), d.of("Mondays", "Sundays", "holidays"))
	}},
	{"not-all", "negation", func(d draws) question {
		return asked(yes(), "Not all of the %d %s are %s. Is there at least one that is not?", d.number(5, 40), d.of(things...), d.of(colours...))
	}},
	{"none-but", "negation", func(d draws) question {
		p := d.some(2, people)
		return asked(no(), "Nobody but %s came to the %s. Did %s come?", p[0], d.of("meeting", "lesson", "rehearsal"), p[1])
	}},
	{"hardly-any", "negation", func(d draws) question {
		return asked(no(), "Hardly any of the %d guests %s. Did most of the guests do so?", d.number(20, 90), d.of("stayed", "danced", "ate", "sang", "complained"))
	}},
	{"without", "negation", func(d draws) question {
		o := d.some(3, objects)
		return question{input: fmt.Sprintf("%s packed a %s and a %s, but went without a %s. Which of the three was left at home? Answer with one word.", d.of(people...), o[0], o[1], o[2]), checks: []suite.Check{contains(o[2]), absent(o[0], o[1]), words(3)}}
	}},
	{"german-not", "negation", func(d draws) question {
		w := row(d, foreignWords)
		return question{input: fmt.Sprintf("Translate into German, and write the translation alone: %q", "This is not "+d.of("my", "your", "our")+" "+w.english+"."), checks: []suite.Check{contains("nicht", "kein", "keine"), contains(w.german), words(8)}}
	}},
	{"french-not", "negation", func(d draws) question {
		w := row(d, foreignWords)
		return question{input: fmt.Sprintf("Translate into French, and write the translation alone: %q", "I do not see the "+w.english+"."), checks: []suite.Check{contains("pas"), contains(w.french), words(10)}}
	}},
	{"idiom-meaning", "idiom", func(d draws) question {
		i := row(d, idioms)
		return question{input: fmt.Sprintf("%s Here %q means", sentence(fmt.Sprintf(i.used, d.of(people...))), i.idiom), choices: []string{i.means, i.literal, i.wrong}}
	}},
	{"literal", "idiom", func(d draws) question {
		l := row(d, literals)
		return question{input: fmt.Sprintf("%q Is %q meant literally or figuratively here? Answer with one of the two words.", fmt.Sprintf(l.sentence, d.of(people...)), l.idiom), checks: []suite.Check{contains(l.is), absent(l.isNot), words(4)}}
	}},
	{"more-formal", "register", func(d draws) question {
		r := row(d, registers)
		return question{input: fmt.Sprintf(d.of("To %s in a letter to a judge, one writes", "The most formal way to %s is", "To %s in an official report, one writes"), r.about), choices: []string{r.formal, r.plain, r.slang}}
	}},
	{"politely", "register", func(d draws) question {
		object := d.of(objects...)
		return question{
			input:  fmt.Sprintf("Rewrite this as a polite request, in one sentence and nothing else: %q", d.of("Give me the ", "Bring the ", "Hand over the ", "Fetch the ")+object+" "+d.of("now.", "at once!", "already.")),
			checks: []suite.Check{contains("please", "could", "would", "may", "might", "kindly"), contains(object), absent("at once", "hand over"), words(30), noLoop()},
		}
	}},
	{"no-contractions", "register", func(d draws) question {
		return question{
			input:  fmt.Sprintf("Rewrite without contractions, and write the sentence alone: %q", d.of("I can't find the ", "We don't have the ", "She won't bring the ", "They didn't see the ")+d.of(objects...)+d.of(", and it's late.", ", and that's all.", ", so I'm going home.")),
			checks: []suite.Check{contains("cannot", "can not", "do not", "will not", "did not"), contains("it is", "that is", "I am"), absent("can't", "don't", "won't", "didn't", "it's", "that's", "I'm")},
		}
	}},
	{"du-or-sie", "register", func(d draws) question {
		verb := d.of("helfen", "antworten", "schreiben", "folgen", "danken", "glauben")
		formal, is, not := "Können Sie mir "+verb+"?", "formal", "informal"
		if d.number(0, 1) == 0 {
			formal, is, not = "Kannst du mir "+verb+"?", "informal", "formal"
		}
		return question{input: fmt.Sprintf("Is the German sentence %q formal or informal? Answer with one of the two words.", formal), checks: []suite.Check{contains(is), absent(not), words(4)}}
	}},
}

var idioms = []struct{ used, idiom, means, literal, wrong string }{
	{"%s let the cat out of the bag.", "let the cat out of the bag", "told a secret", "freed an animal", "went shopping"},
	{"the exam was a piece of cake for %s.", "a piece of cake", "very easy", "sweet to eat", "a great disaster"},
	{"%s was under the weather last week.", "under the weather", "ill", "out in the rain", "very rich"},
	{"%s hit the nail on the head.", "hit the nail on the head", "said exactly what was right", "used a hammer", "fell asleep"},
	{"%s bit off more than was wise to chew.", "bit off more than one can chew", "took on too much", "ate too fast", "told a joke"},
	{"%s sees the boss once in a blue moon.", "once in a blue moon", "very seldom", "by moonlight", "each morning"},
	{"that coat cost %s an arm and a leg.", "an arm and a leg", "very much money", "two limbs", "nothing at all"},
	{"%s got cold feet before the wedding.", "got cold feet", "became afraid", "lost the shoes", "fell in love"},
	{"%s burnt the midnight oil.", "burnt the midnight oil", "worked late", "lit a lamp", "wasted money"},
	{"%s turned a blind eye to the theft.", "turned a blind eye", "chose to overlook it", "lost the sight of an eye", "called the police"},
	{"%s is sitting on the fence about the vote.", "sitting on the fence", "undecided", "resting in a garden", "strongly against it"},
	{"%s spilled the beans.", "spilled the beans", "gave the secret away", "dropped some food", "did the cooking"},
	{"%s threw in the towel.", "threw in the towel", "gave up", "did the laundry", "started a fight"},
	{"%s is pulling your leg.", "pulling your leg", "joking with you", "dragging you along", "healing you"},
}

var literals = []struct{ sentence, idiom, is, isNot string }{
	{"%s broke the ice on the pond with a hammer.", "broke the ice", "literally", "figuratively"},
	{"%s broke the ice with a joke about the weather.", "broke the ice", "figuratively", "literally"},
	{"%s kicked the bucket across the yard and the water ran out.", "kicked the bucket", "literally", "figuratively"},
	{"%s found the light at the end of the tunnel after years of debts.", "the light at the end of the tunnel", "figuratively", "literally"},
	{"%s spilled the beans all over the kitchen floor.", "spilled the beans", "literally", "figuratively"},
	{"%s spilled the beans about the surprise party.", "spilled the beans", "figuratively", "literally"},
}

var registers = []struct{ about, formal, plain, slang string }{
	{"ask for an answer", "I should be grateful for your reply.", "Please write back.", "Hit me up."},
	{"say that somebody stays away", "The applicant is unable to attend.", "She can't come.", "She's bailing."},
	{"say sorry", "We regret the inconvenience.", "Sorry for the trouble.", "Our bad."},
	{"say that a car is broken", "The vehicle was damaged beyond repair.", "The car is broken.", "The ride is toast."},
	{"say that somebody left", "The witness departed without delay.", "He left quickly.", "He legged it."},
	{"ask for money that is owed", "Payment has not been received.", "You haven't paid.", "Cough up."},
}

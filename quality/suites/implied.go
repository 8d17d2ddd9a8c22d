package suites

import (
	"fmt"
	"strings"

	"chimera/quality/suite"
)

// This file owns nuances of what is meant: irony, what is implied, and what follows from a word.

const yesOrNo = " Answer yes or no."

var implied = []template{
	{"ironic", "irony", func(d draws) question {
		said := d.of("Oh great, just what I needed", "Wonderful timing, as always", "Well, that is simply perfect", "How lovely", "Brilliant, absolutely brilliant")
		when := d.of("when the train was cancelled for the third time", "as the rain came through the new roof", "when the printer broke an hour before the deadline", "as the waiter dropped soup on the white coat", "on hearing that the holiday was cancelled")
		return asked(no(), "%q, said %s %s. Was %s pleased?", said, d.of(people...), when, "the speaker")
	}},
	{"praise", "irony", func(d draws) question {
		return asked(yes(), "%q, said %s %s, and hugged everybody. Was the speaker pleased?", d.of("How lovely", "That is simply perfect", "Wonderful"), d.of(people...),
			d.of("on finding the lost dog", "when the whole family came to visit", "on opening the present", "when the doctor brought good news"))
	}},
	{"sarcasm-of-skill", "irony", func(d draws) question {
		return asked(no(), "%s burnt the %s, flooded the kitchen and broke two plates. %q, said %s. Does the speaker really think that %s cooks well?", "The guest", d.of("soup", "rice", "toast", "cake", "potatoes", "fish"), d.of("A born chef", "What a master of the kitchen", "You should open a restaurant"), d.of(people...), "the guest")
	}},
	{"excuse", "implied", func(d draws) question {
		return asked(no(), "%s: \"Are you coming to the %s tonight?\" %s: %q Will the second speaker probably come?", d.of(people[:10]...), d.of("party", "concert", "match", "dinner"), d.of(people[10:]...),
			d.of("I have an exam at seven in the morning.", "My flight leaves at six.", "I have a fever.", "Somebody has to look after the baby."))
	}},
	{"some-not-all", "implied", func(d draws) question {
		return asked(no(), "%q, says the waiter, who counted. Were all of the %s eaten, by what that suggests?", "Some of the "+d.of("cakes", "apples", "sandwiches", "olives", "pears", "eggs")+" were eaten", d.of("items", "things", "pieces"))
	}},
	{"used-to", "implied", func(d draws) question {
		return asked(yes(), "%s has stopped %s. Did %s do it before?", d.of(people...), d.of("smoking", "singing in the choir", "biting nails", "learning Latin", "playing chess", "writing letters"), "this person")
	}},
	{"managed", "implied", func(d draws) question {
		return asked(yes(), "With some effort %s managed to %s. Was it done in the end?", d.of(people...), d.of("open the jar", "repair the fence", "catch the last bus", "finish the essay", "wake the children"))
	}},
	{"failed", "implied", func(d draws) question {
		return asked(no(), "For all the effort %s failed to %s. Was it done in the end?", d.of(people...), d.of("open the jar", "repair the fence", "catch the last bus", "finish the essay", "wake the children"))
	}},
	{"forgot", "implied", func(d draws) question {
		return asked(no(), "%s forgot to %s before leaving. Was this done by that person before leaving?", d.of(people...), d.of("lock the door", "feed the cat", "switch off the oven", "close the window", "water the plants"))
	}},
	{"almost", "implied", func(d draws) question {
		return asked(no(), "%s almost %s. Did it happen?", d.of(people...), d.of("missed the train", "fell off the ladder", "broke the vase", "won the race", "burnt the toast"))
	}},
	{"feeling", "implied", func(d draws) question {
		f := row(d, feelings)
		return question{
			input:   fmt.Sprintf("%s %s. What does this person most likely feel? The feeling is", d.of(people...), f.sign),
			choices: append([]string{f.feeling}, d.some(3, others(f.feeling))...),
		}
	}},
	{"request", "implied", func(d draws) question {
		r := row(d, requests)
		return question{input: fmt.Sprintf("%s says to %s: %q What is meant? The speaker wants the other to", d.of(people[:10]...), d.of(people[10:]...), r.said), choices: []string{r.meant, r.wrong[0], r.wrong[1]}}
	}},
	{"shortest", "implied", func(d draws) question {
		p := d.some(3, people)
		return question{input: fmt.Sprintf("%s is taller than %s, and %s is taller than %s. Who is the shortest? Answer with the name alone.", p[0], p[1], p[1], p[2]), checks: []suite.Check{contains(p[2]), absent(p[0], p[1])}}
	}},
}

// asked is a question to be answered by yes or no.
func asked(checks []suite.Check, form string, fill ...any) question {
	return question{input: fmt.Sprintf(form, fill...) + yesOrNo, checks: checks}
}

var feelings = []struct{ sign, feeling string }{
	{"slammed the door and kicked the chair", "anger"}, {"could not stop smiling at the letter", "joy"}, {"hid under the blanket when the thunder came", "fear"},
	{"wept over the old photograph", "sadness"}, {"yawned for the fifth time during the speech", "boredom"}, {"went red and looked at the floor when the mistake was read out", "shame"},
	{"dropped the cup when the dead man walked in", "surprise"}, {"held the medal up for everybody to see", "pride"},
}

func others(feeling string) (list []string) {
	for _, f := range feelings {
		if f.feeling != feeling {
			list = append(list, f.feeling)
		}
	}
	return list
}

var requests = []struct {
	said, meant string
	wrong       [2]string
}{
	{"Can you reach the salt?", "pass the salt", [2]string{"measure an arm", "buy salt"}},
	{"It is rather cold in here.", "close the window", [2]string{"read a thermometer", "open the fridge"}},
	{"Do you have the time?", "say what time it is", [2]string{"buy a watch", "take a day off"}},
	{"Your music is certainly lively tonight.", "turn the music down", [2]string{"turn the music up", "buy a record"}},
	{"I can't see the screen from here.", "move aside", [2]string{"clean the floor", "call a doctor"}},
	{"The bin is full again.", "empty the bin", [2]string{"fill the bin", "paint the bin"}},
	{"Would it kill you to knock?", "knock before coming in", [2]string{"see a doctor", "stay outside for ever"}},
}

// sentence makes a text begin with a capital letter.
func sentence(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

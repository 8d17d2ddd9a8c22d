package suites

import "fmt"

// This file owns short questions with short answers.

var questions = []template{
	{"capital", "geography", func(d draws) question {
		c := row(d, capitals)
		return short("What is the capital of %s?", c.country, c.city)
	}},
	{"country", "geography", func(d draws) question {
		c := row(d, capitals)
		return short("Of which country is %s the capital?", c.city, c.country)
	}},
	{"opposite", "words", func(d draws) question {
		p := row(d, opposites)
		return short("What is the opposite of the word %q?", p[0], p[1:]...)
	}},
	{"plural", "words", func(d draws) question {
		p := row(d, plurals)
		return short("What is the plural of the word %q?", p[0], p[1])
	}},
	{"past", "words", func(d draws) question {
		p := row(d, pasts)
		return short("What is the simple past of the verb %q?", "to "+p[0], p[1])
	}},
	{"german-word", "languages", func(d draws) question {
		w := row(d, foreignWords)
		return short("What is the German word for %q? Leave the article out.", w.english, w.german)
	}},
	{"symbol", "science", func(d draws) question {
		e := row(d, elements)
		return short("Which chemical element has the symbol %s?", e[1], e[0])
	}},
	{"young", "science", func(d draws) question {
		y := row(d, young)
		return short("What is the young of a %s called?", y[0], y[1:]...)
	}},
}

func short(form, fill string, answers ...string) question {
	return question{input: fmt.Sprintf(form, fill) + " Answer with one word.", references: answers}
}

var (
	opposites = [][]string{{"hot", "cold"}, {"early", "late"}, {"empty", "full"}, {"heavy", "light"}, {"cheap", "expensive", "costly"}, {"deep", "shallow"}, {"wet", "dry"}, {"loud", "quiet", "soft", "silent"}, {"ancient", "modern", "new"}, {"strong", "weak"}, {"wide", "narrow"}, {"noisy", "quiet", "silent"}, {"true", "false"}, {"dark", "light", "bright"}}
	plurals   = [][]string{{"child", "children"}, {"mouse", "mice"}, {"foot", "feet"}, {"tooth", "teeth"}, {"goose", "geese"}, {"ox", "oxen"}, {"knife", "knives"}, {"leaf", "leaves"}, {"city", "cities"}, {"wife", "wives"}, {"man", "men"}, {"wolf", "wolves"}, {"thief", "thieves"}, {"louse", "lice"}}
	pasts     = [][]string{{"go", "went"}, {"buy", "bought"}, {"swim", "swam"}, {"freeze", "froze"}, {"teach", "taught"}, {"fly", "flew"}, {"hide", "hid"}, {"write", "wrote"}, {"think", "thought"}, {"steal", "stole"}, {"catch", "caught"}, {"fight", "fought"}, {"draw", "drew"}, {"shake", "shook"}}
	elements  = [][]string{{"gold", "Au"}, {"iron", "Fe"}, {"silver", "Ag"}, {"lead", "Pb"}, {"copper", "Cu"}, {"tin", "Sn"}, {"helium", "He"}, {"carbon", "C"}, {"oxygen", "O"}, {"nitrogen", "N"}, {"calcium", "Ca"}, {"neon", "Ne"}, {"zinc", "Zn"}, {"iodine", "I"}}
	young     = [][]string{{"cow", "calf"}, {"sheep", "lamb"}, {"goat", "kid"}, {"horse", "foal"}, {"dog", "puppy", "pup"}, {"cat", "kitten"}, {"bear", "cub"}, {"deer", "fawn"}, {"swan", "cygnet"}, {"frog", "tadpole"}, {"kangaroo", "joey"}, {"duck", "duckling"}, {"goose", "gosling"}, {"lion", "cub"}}
)

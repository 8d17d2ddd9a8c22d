package coverage

import (
	"slices"
	"strings"
	"unicode"

	"chimera/quality/control"
)

// This file owns which language a text is in, as far as that is plain: by its script, and for languages of the Latin script by their commonest small words and
// letters that others do not have. What is too short or too mixed to tell is called by its script alone. It is a rough judge for counting, and
// never wrong loudly: two words of one language must be there, and more than of any other.

// ofScripts are languages that have a script to themselves; other scripts are several languages', and called by their own names.
var ofScripts = map[string]string{"kana": "japanese", "han": "chinese", "hangul": "korean", "greek": "greek", "hebrew": "hebrew", "thai": "thai"}

// kanaShare is how many of a text's Han and kana are kana at least where it is Japanese.
const kanaShare = 0.1

// profiles are the commonest small words of languages, without those that are spelt alike in many.
var profiles = map[string]string{
	"english":    "the of and to is that it for was with as are this be by not you have or from an they which but we can your there what if will would when how all has been do about please",
	"german":     "der die und das ist nicht ein eine den dem mit von zu auf für sich auch es wird an als wie bei oder sie ich werden nach noch aus wenn kann nur aber bitte wir einen einer des sind wurde über",
	"french":     "le la les et des est que une du dans pour qui pas sur plus ce avec ne au sont il elle nous vous je mais ou cette être ont comme aux ses leur été fait quel quelle où peut",
	"spanish":    "el los las y que una por con para del es se no lo como más su al pero sus ha está son este esta fue muy cuando también entre sobre qué cómo hay puede desde usted",
	"italian":    "il di che e è per una non con del della sono gli le si da nel alla più anche come dei delle ma questo questa essere ha dal ai al cosa quando perché nella degli può",
	"portuguese": "o os que e do da em um uma para não com por mais dos das se na no ao como mas foi seu sua pela pelo são está você isso também quando muito já ou ser nos",
	"dutch":      "de het een van en is dat niet op te zijn voor met die aan er maar om hij ook als bij nog naar uit dan wordt deze kan heb wat hoe je ik worden geen zou",
	"swedish":    "och att det som en på är av för med den till inte ett om har jag de han var så men vi kan från eller när vad hur ska där också efter",
	"polish":     "w i na się nie z do to że jest jak o po co ale tak za od przez dla czy są tego może już być gdy tylko oraz który która które jest ten",
	"czech":      "a v se na je že s z do o to i jako za by ale pro podle jsem jsou ve po od jeho která který které aby nebo když také jen už při",
	"turkish":    "ve bir bu için ile da de ne olarak çok daha gibi var olan mi mı ama kadar sonra değil en her nasıl nedir ben sen olduğu tarafından",
	"romanian":   "și în de la cu pe nu o un care este din ce mai pentru sunt ca au fost sau să se dar lui prin acest această între după cum",
	"indonesian": "yang dan di untuk dari ini dengan pada adalah itu tidak akan dalam oleh ke atau juga saya ada bisa karena mereka kami apa anda sudah telah lebih",
}

// marks are letters that only one of these languages has.
var marks = map[rune]string{
	'ß': "german", 'ñ': "spanish", '¿': "spanish", '¡': "spanish", 'ã': "portuguese", 'õ': "portuguese", 'ł': "polish", 'ż': "polish", 'ś': "polish", 'ę': "polish",
	'ě': "czech", 'ř': "czech", 'ů': "czech", 'ğ': "turkish", 'ı': "turkish", 'ș': "romanian", 'ț': "romanian", 'ă': "romanian", 'œ': "french", 'å': "swedish",
}

// speakers are the languages that have a word among their commonest.
var speakers = func() map[string][]string {
	by := map[string][]string{}
	for language, words := range profiles {
		for _, word := range strings.Fields(words) {
			if !slices.Contains(by[word], language) {
				by[word] = append(by[word], language)
			}
		}
	}
	return by
}()

const (
	// leastWords of a language's own must be there, and this share of all words: of running text they are a third to a half.
	leastWords = 2
	wordShare  = 0.1
	// lead is how much more there must be of them than of the next language's.
	lead = 1.25
	// mostLetters are as much of a text as is looked at.
	mostLetters = 4096
)

// LanguageOf is the language of a text: its name in English, "latin script" and the like where it is not known, "none" of a text without letters.
func LanguageOf(text string) string {
	if len(text) > mostLetters {
		text = strings.ToValidUTF8(text[:mostLetters], "")
	}
	script := control.ScriptOf(text)
	if kana, han := count(text, unicode.Hiragana, unicode.Katakana), count(text, unicode.Han); kana > 0 && (script == "han" || script == "mixed") && float64(kana) >= kanaShare*float64(kana+han) && mostly(text, kana+han) {
		return "japanese"
	}
	if name, own := ofScripts[script]; own {
		return name
	}
	switch script {
	case "none", "mixed":
		return script
	case "latin":
		return latin(text)
	}
	return script + " script"
}

// count is how many letters are of some scripts.
func count(text string, of ...*unicode.RangeTable) (n int) {
	for _, r := range text {
		if unicode.In(r, of...) {
			n++
		}
	}
	return n
}

// mostly tells whether so many letters are most of a text's.
func mostly(text string, n int) bool { return 2*n >= count(text, unicode.Letter) }

// latin is the language of a text in the Latin script. A word that several languages have counts a part of one for each.
func latin(text string) string {
	text = strings.ToLower(text)
	scores, own, words := map[string]float64{}, map[string]int{}, 0
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) }) {
		words++
		for _, language := range speakers[word] {
			scores[language] += 1 / float64(len(speakers[word]))
			own[language]++
		}
	}
	for _, r := range text {
		if language := marks[r]; language != "" {
			scores[language]++
			own[language]++
		}
	}
	best, next := "", 0.0
	for language, score := range scores {
		switch {
		case score > scores[best] || score == scores[best] && language < best:
			best, next = language, max(next, scores[best])
		default:
			next = max(next, score)
		}
	}
	if own[best] < leastWords || float64(own[best]) < wordShare*float64(words) || scores[best] < lead*next {
		return "latin script"
	}
	return best
}

package coverage

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"chimera/quality/control"
)

// This file owns tests of what is said of requests and items.

// spoken are sentences that were written for this test, some of each language.
var spoken = map[string][]string{
	"english":    {"Please tell me what the weather will be like in the north this week.", "How do I close the window when the program does not answer?", "There is a letter for you on the table."},
	"german":     {"Bitte sag mir, wie das Wetter in dieser Woche wird.", "Die Datei konnte nicht geöffnet werden, weil sie nicht da ist.", "Wir haben für den Ausflug noch keine Straßenkarte."},
	"french":     {"Dites-moi quel temps il fera dans le nord cette semaine.", "Le fichier ne peut pas être ouvert, et la fenêtre est fermée.", "Pour aller à la gare, vous prenez la première rue à gauche."},
	"spanish":    {"¿Qué tiempo hará en el norte esta semana?", "No se puede abrir el archivo porque la ventana está cerrada.", "Los niños y las niñas van al parque con su abuela."},
	"italian":    {"Il file non può essere aperto perché la finestra è chiusa.", "Che tempo farà questa settimana nel nord della regione?", "Per la cena di domani sono tutti invitati anche i vicini."},
	"portuguese": {"O arquivo não pode ser aberto porque a janela está fechada.", "Você sabe como vai ser o tempo no norte esta semana?", "Uma carta para você está na mesa da sala."},
	"dutch":      {"Het bestand kan niet worden geopend omdat het venster dicht is.", "Wat voor weer wordt het deze week in het noorden?", "Er ligt een brief voor je op de tafel."},
	"swedish":    {"Filen kan inte öppnas för att fönstret är stängt.", "Hur blir vädret i norr och vad ska vi ha med oss?", "Det ligger ett brev till dig på bordet."},
	"polish":     {"Nie można otworzyć pliku, ponieważ okno jest zamknięte.", "Jaka będzie pogoda na północy w tym tygodniu?", "List do ciebie leży na stole i jest już otwarty."},
	"turkish":    {"Bu dosya için bir pencere açık değil.", "Masada senin için bir mektup var ve çok uzun.", "Bu hafta hava nasıl olacak, daha soğuk mı?"},
	"japanese":   {"今週の北の天気はどうなりますか。", "ファイルを開くことができません。"},
	"chinese":    {"这个星期北方的天气怎么样？", "无法打开文件，因为窗口已关闭。"},
	"korean":     {"이번 주 북쪽 날씨는 어떻습니까?"},
	"greek":      {"Το αρχείο δεν μπορεί να ανοίξει."},
	"hebrew":     {"לא ניתן לפתוח את הקובץ."},

	"cyrillic script": {"Файл не может быть открыт.", "Файл не може бути відкритий."},
	"arabic script":   {"لا يمكن فتح الملف."},
	"latin script":    {"Open file", "Kernel panic", "xyzzy plugh", "resume", "und das Haus et les os, und der Hund et le chat"},
	"mixed":           {"abcd где abcd где"},
	"none":            {"", "1 + 1 = 2", "???", "\xff\xfe"},
}

func TestLanguageOf(t *testing.T) {
	right, all := 0, 0
	for want, sentences := range spoken {
		for _, s := range sentences {
			got := LanguageOf(s)
			if all++; got == want {
				right++
				continue
			}
			if got != "latin script" { // it may not know, and must not say another
				t.Errorf("%q is %s, not %s", s, got, want)
			} else {
				t.Logf("%q is not known, though %s", s, want)
			}
		}
	}
	if right < all-3 {
		t.Errorf("%d of %d are known", right, all)
	}
	long := strings.Repeat("Le fichier est dans la fenêtre. ", 1000)
	if got := LanguageOf(long); got != "french" {
		t.Errorf("a long text is %s", got)
	}
}

// requestsOf are so many prompts in a language, each another.
func requestsOf(language string, n, tokens int) (list []Features) {
	for i := range n {
		list = append(list, Describe(fmt.Sprintf("%s %d", spoken[language][i%len(spoken[language])], i), tokens))
	}
	return list
}

func named(parts []Part) (list []string) {
	for _, p := range parts {
		if p.Uncovered && p.Dimension != Topic {
			list = append(list, p.String())
		}
	}
	slices.Sort(list)
	return list
}

func TestUncovered(t *testing.T) {
	english := requestsOf("english", 500, 20)
	for name, c := range map[string]struct {
		requests, items []Features
		want            []string
	}{
		"the same":               {requestsOf("english", 100, 20), english, nil},
		"a new language":         {slices.Concat(requestsOf("english", 176, 20), requestsOf("french", 24, 20)), english, []string{"language french, 12% of requests (8% to 17%), 0 of 500 items"}},
		"not surely a twentieth": {slices.Concat(requestsOf("english", 184, 20), requestsOf("french", 16, 20)), english, nil},
		"hardly any items":       {slices.Concat(requestsOf("english", 100, 20), requestsOf("french", 100, 20)), slices.Concat(english, requestsOf("french", 20, 20)), []string{"language french, 50% of requests (43% to 57%), 20 of 520 items"}},
		"some items":             {slices.Concat(requestsOf("english", 100, 20), requestsOf("french", 100, 20)), slices.Concat(english, requestsOf("french", 40, 20)), nil},
		"long prompts":           {slices.Concat(requestsOf("english", 50, 20), requestsOf("english", 50, 2000)), english, []string{"length long, 50% of requests (40% to 60%), 0 of 500 items"}},
		"too few requests":       {requestsOf("french", LeastRequests-1, 20), english, nil},
		"no suite":               {requestsOf("french", 100, 20), nil, nil},
	} {
		if got := named(Compare(c.requests, c.items)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// Topics tell texts of other words apart, and have the same names whenever the same is asked.
func TestTopics(t *testing.T) {
	var requests, items []Features
	for i := range 60 {
		items = append(items, Describe(fmt.Sprintf("Please translate the sentence about the harbour and the ferry number %d into German.", i), 20))
		requests = append(requests, Describe(fmt.Sprintf("SELECT name, price FROM products WHERE id = %d ORDER BY price;", i), 20))
	}
	requests = append(requests, items[:40]...)
	parts := Compare(requests, items)
	uncovered, covered := 0, 0
	for _, p := range parts {
		if p.Dimension != Topic {
			continue
		}
		if p.Uncovered {
			uncovered += p.Requests
		} else {
			covered += p.Requests
		}
	}
	if uncovered != 60 || covered != 40 {
		t.Errorf("%d are of topics that suites lack, %d of others: %v", uncovered, covered, parts)
	}
	if again := Compare(requests, items); !slices.Equal(again, parts) {
		t.Errorf("%v, and then %v", parts, again)
	}
	if got := Compare(make([]Features, 100), make([]Features, 10)); len(got) != 3 {
		t.Errorf("of prompts without text: %v", got)
	}
}

func TestTrafficForgets(t *testing.T) {
	var traffic Traffic
	for i := range 3 * mostRemembered / 2 {
		f := Features{Length: control.Short}
		if i >= mostRemembered {
			f.Length = control.Long
		}
		traffic.Add(f)
	}
	long := 0
	for _, f := range traffic.Newest() {
		if f.Length == control.Long {
			long++
		}
	}
	if traffic.Requests() != mostRemembered || long != mostRemembered/2 {
		t.Errorf("%d remembered, %d of them new", traffic.Requests(), long)
	}
}

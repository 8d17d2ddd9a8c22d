package suites

import (
	"fmt"
	"strings"
	"testing"

	"chimera/quality/suite"
)

// This file owns tests of the suites: that they are the same everywhere, large and varied enough, and that their checks can be met but not by chance.

func named(t *testing.T, name string) *suite.Suite {
	t.Helper()
	s, err := Named(name)
	if err != nil || s == nil {
		t.Fatal(name, err)
	}
	return s
}

// Scores of one program version compare with another's by these: a template that changes makes another suite.
func TestDigests(t *testing.T) {
	for name, want := range map[string]string{
		"qa":     "b6f26cce29ca554c066af25360e4bd045aec2bc322212e8da3d4fe5d27abc66b",
		"edge":   "7574c5f449ec6648b857bd2831ff6856ac3376dd2fdbeff230325744de96ee28",
		"nuance": "34d986d6a87da9c6d4db006e339f82d4235f647149d348ccbd3e77fd19e87f54",
	} {
		if got := named(t, name).Digest(); got != want {
			t.Errorf("%s has digest %s, it was %s", name, got, want)
		}
	}
	if s, err := Named("else"); s != nil || err != nil {
		t.Error(s, err)
	}
}

func TestSizes(t *testing.T) {
	templates, halves := 0, map[suite.Half]int{}
	for _, name := range Names() {
		s := named(t, name)
		if len(s.Items) != each*len(all[name]) {
			t.Errorf("%s has %d items of %d templates", name, len(s.Items), len(all[name]))
		}
		inputs, tags := map[string]string{}, map[string]int{}
		for _, i := range s.Items {
			text := fmt.Sprint(i.Messages)
			if inputs[text] != "" {
				t.Errorf("%s and %s ask the same: %q", i.ID, inputs[text], text)
			}
			inputs[text] = i.ID
			for _, tag := range i.Tags {
				tags[tag]++
			}
			if strings.Contains(text, "%!") {
				t.Errorf("%s is not filled in: %q", i.ID, text)
			}
			if name != "qa" {
				halves[i.Half]++
			}
		}
		for _, template := range all[name] {
			if tags[template.name] != each {
				t.Errorf("%s: template %s gave %d items", name, template.name, tags[template.name])
			}
		}
		if name != "qa" {
			templates += len(all[name])
		}
	}
	if templates < 40 || halves[suite.Sealed] < 300 || halves[suite.Tuning] != halves[suite.Sealed] {
		t.Errorf("%d templates, %v", templates, halves)
	}
}

// Some answer passes all checks of an item: no two of them exclude each other.
func TestChecksCanBeMet(t *testing.T) {
	for _, name := range Names() {
		for _, i := range named(t, name).Items {
			if i.Kind == suite.Edge && i.Passes(ideal(i)) != len(i.Checks) {
				t.Errorf("%s: %q passes %d of %+v", i.ID, ideal(i), i.Passes(ideal(i)), i.Checks)
			}
		}
	}
}

// ideal says what is asked for, once.
func ideal(i suite.Item) string {
	var parts []string
	say := func(text string) {
		if said := (suite.Item{Checks: []suite.Check{contains(text)}}); said.Passes(strings.Join(parts, " ")) == 0 {
			parts = append(parts, text)
		}
	}
	for _, c := range i.Checks {
		switch c.Name {
		case "contains", "is", "begins":
			say(c.Any[0])
		case "number":
			say(fmt.Sprintf("%.10g", *c.Number))
		}
	}
	if len(parts) == 0 {
		return "indigo" // where all that is asked is to leave something out
	}
	return strings.Join(parts, " ")
}

// Neither silence nor the question said again passes, nor what many would say to anything.
func TestChecksAreNotMetByChance(t *testing.T) {
	for _, name := range []string{"edge", "nuance"} {
		for _, i := range named(t, name).Items {
			if i.Kind != suite.Edge || strings.HasPrefix(i.ID, "edge-secret-") { // which asks for nothing but to keep silent about it
				continue
			}
			for _, answer := range []string{"", i.Question(), "I am a language model and will do my best, as far as that goes, in all that you may wish for today."} {
				if i.Passes(answer) == len(i.Checks) {
					t.Errorf("%s: %q passes all of %+v", i.ID, answer, i.Checks)
				}
			}
		}
	}
}

// Yes and no are both right often enough in questions of nuance, and each place among choices: who always says the same gains little.
func TestRightAnswersVary(t *testing.T) {
	sides, places := map[string]int{}, map[string]int{}
	for _, i := range named(t, "nuance").Items {
		switch {
		case i.Kind == suite.Choice:
			places[fmt.Sprint(len(i.Choices), " ", i.Right)]++
		case i.Checks[0].Name == "begins":
			sides[i.Checks[0].Any[0]]++
		}
	}
	if sides["no"] > 3*sides["yes"] || sides["yes"] == 0 {
		t.Errorf("yes and no: %v", sides)
	}
	if len(places) != 3+4 {
		t.Errorf("of three choices and of four each place should be right at times: %v", places)
	}
	for place, n := range places {
		if n < 2 {
			t.Errorf("choices, by their number and the right one: %v at %s", n, place)
		}
	}
}

// What people might answer, to some of the templates.
func TestAnswers(t *testing.T) {
	items := map[string]suite.Item{}
	for _, name := range []string{"edge", "nuance"} {
		for _, i := range named(t, name).Items {
			items[i.ID] = i
		}
	}
	for _, c := range []struct{ id, good, bad string }{
		{"edge-silence-00", "Hello! How can I help you today?", "la la la la"},
		{"edge-no-text-00", "It looks like no text was provided. Could you paste it?", "A man walks through a forest and finds his brother."},
		{"edge-contradiction-00", "The two statements contradict each other, so the age can't be told.", "She is 35 years old."},
		{"edge-the-usual-00", "I'm not sure what you are referring to. Could you clarify?", "Done! It is taken care of."},
		{"edge-review-00", "Negative.", "Positive"},
		{"edge-impossible-order-00", "No, they can't all be true.", "Yes."},
		{"nuance-ironic-00", "No.", "Yes, very pleased."},
		{"nuance-used-to-00", "Yes.", "No."},
		{"nuance-politely-00", "Could you please hand me the ladder, the lamp, the key, the chair, the umbrella, the letter, the bottle, the camera, the blanket, the kettle, the mirror and the basket?", "Give me that."},
	} {
		i, there := items[c.id]
		if !there {
			t.Errorf("there is no %s", c.id)
			continue
		}
		if i.Passes(c.good) != len(i.Checks) || i.Passes(c.bad) == len(i.Checks) {
			t.Errorf("%s: %q passes %d, %q passes %d of %d", c.id, c.good, i.Passes(c.good), c.bad, i.Passes(c.bad), len(i.Checks))
		}
	}
}

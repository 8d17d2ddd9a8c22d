package gpu

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Rewrite makes the tests of generated files write them.
var Rewrite = flag.Bool("rewrite", false, "write the generated files anew")

func TestBusID(t *testing.T) {
	for in, want := range map[string]string{
		"00000000:17:00.0": "0000:17:00.0", "0000:17:00.0": "0000:17:00.0", "0000:AF:00.0": "0000:af:00.0", "00010000:01:00.0": "00010000:01:00.0", "": "",
	} {
		if got := BusID(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestReasonsOfMask(t *testing.T) {
	for mask, want := range map[uint64]string{
		0: "[]", 1: "[gpu_idle]", 4: "[sw_power_cap]", 8 | 64: "[hw_slowdown hw_thermal_slowdown]", 32: "[sw_thermal_slowdown]",
		8 | 128: "[hw_slowdown hw_power_brake]", 2047: fmt.Sprint(reasonBits), 1 << 40: "[bit_40]",
	} {
		if got := fmt.Sprint(Reasons(mask)); got != want {
			t.Errorf("%#x: %s, want %s", mask, got, want)
		}
	}
	if Reasons(0) == nil {
		t.Error("no reason is not the same as not supported")
	}
}

// Each code is in the one group that NVIDIA's documents put it in.
func TestXidTable(t *testing.T) {
	for need, codes := range map[Need][]uint64{
		NewProcess: {8, 11, 13, 25, 31, 32, 39, 40, 41, 48, 69, 70, 71, 72, 75, 76, 77, 80, 85, 94, 126, 135},
		Reset:      {46, 62, 64, 95, 109, 110, 119, 120, 136, 140, 143, 156, 158},
		Reboot:     {79, 151},
		Nothing:    {37, 38, 43, 44, 45, 54, 63, 74, 92, 137, 154, 155, 157, 167, 168, 169, 171, 172, 999},
	} {
		for _, code := range codes {
			r := Xid(code)
			look := slices.Contains([]uint64{54, 157, 167, 168, 169, 171, 172}, code)
			if r.Code != code || r.Needs != need || r.Meaning == "" || (need == Nothing) != (r.Action == Serve) || r.Look != look {
				t.Errorf("Xid %d: %+v, want one that needs %q", code, r, need)
			}
		}
	}
	if r := Xid(85); r.Meaning != "copy engine 9 failed" { // the last one before Blackwell's
		t.Errorf("%+v", r)
	}
	if n := len(XidRules()); n != 63 {
		t.Errorf("%d rules", n)
	}
	for _, r := range XidRules() { // a process that starts again after a drain must find a card that works
		if r.Action == Degrade || r.Action == Unknown || r.Needs == NewCard {
			t.Errorf("Xid %d: an event alone says no such thing: %+v", r.Code, r)
		}
	}
}

func TestRecoveryActions(t *testing.T) {
	for value, want := range map[Recovery]finding{
		RecoverNothing: {}, RecoverReset: {action: Restart, needs: Reset}, RecoverReboot: {action: Restart, needs: Reboot},
		RecoverDrainP2P: {action: Serve}, RecoverDrainReset: {action: Drain, needs: Reset}, RecoverIMEX: {action: Drain, needs: Reset},
		RecoverBusReset: {action: Restart, needs: Reset}, RecoverSystemReboot: {action: Restart, needs: Reboot}, 77: {action: Restart, needs: Reset},
	} {
		got := recovery(&value)
		if got.action != want.action || got.needs != want.needs || !strings.Contains(got.reason, value.String()) && value != RecoverNothing {
			t.Errorf("%v: %+v", value, got)
		}
	}
	if f := recovery(nil); f != (finding{}) {
		t.Errorf("a driver that does not tell: %+v", f)
	}
}

// Two findings give the worse action and the greater need, the worse one's reason first, whichever comes first.
func TestFindingsJoin(t *testing.T) {
	a, b := finding{Restart, NewProcess, "a"}, finding{Drain, Reset, "b"}
	want := finding{Restart, Reset, "a; b"}
	if a.and(b) != want || b.and(a) != want {
		t.Errorf("%+v, %+v", a.and(b), b.and(a))
	}
	if a.and(a) != a || a.and(finding{}) != a || (finding{}).and(a) != a {
		t.Errorf("%+v", a.and(a))
	}
}

// Judge is pure: the history that goes in is as it was.
func TestJudgeIsPure(t *testing.T) {
	at := time.Unix(1e9, 0)
	calm := &Reading{ECCUncorrected: new(uint64(0))}
	h, v := Judge(History{}, Observation{At: at, Reading: calm})
	if v.Action != Serve || v.Reason != "" || !v.Since.Equal(at) {
		t.Fatalf("%+v", v)
	}
	for range 2 {
		after, v := Judge(h, Observation{At: at.Add(time.Minute), Xids: []uint64{95}})
		if v.Action != Restart || v.Needs != Reset || !v.Since.Equal(at.Add(time.Minute)) {
			t.Errorf("%+v", v)
		}
		if _, later := Judge(after, Observation{At: at.Add(time.Hour), Reading: calm}); later.Action != Restart || !later.Since.Equal(v.Since) {
			t.Errorf("what needs a person is not forgotten: %+v", later)
		}
	}
	if _, v := Judge(h, Observation{At: at.Add(2 * time.Minute), Reading: calm}); v.Action != Serve || !v.Since.Equal(at) {
		t.Errorf("%+v", v)
	}
}

// blocked is a reader of one device whose named part never comes back.
type blocked struct {
	part string
	over chan struct{}
}

func (b blocked) wait(part string, call *Call) {
	call.Enter("nvml" + part)
	if part == b.part {
		<-b.over
	}
}

func (b blocked) open(call *Call) (Reader, error) { b.wait("Init", call); return b, nil }
func (b blocked) Devices(call *Call) ([]Device, error) {
	b.wait("DeviceGetCount", call)
	return []Device{{Name: "one"}}, nil
}
func (b blocked) Read(_ int, call *Call) (Reading, error) {
	b.wait("DeviceGetName", call)
	return Reading{}, nil
}
func (b blocked) NextEvent(wait time.Duration, call *Call) (Event, bool, error) {
	b.wait("EventSetWait", call)
	time.Sleep(wait)
	return Event{}, false, errors.New("nvmlEventSetWait: the wait failed")
}
func (b blocked) Close() { b.wait("Shutdown", new(Call)) }

// Wherever NVML hangs, the state says so by name within the deadline, and Run ends when it is told to.
func TestHangs(t *testing.T) {
	for part, says := range map[string]func(State) string{
		"Init":           func(s State) string { return s.Reason },
		"DeviceGetCount": func(s State) string { return s.Reason },
		"DeviceGetName":  func(s State) string { return s.Devices[0].Verdict.Reason },
		"EventSetWait":   func(s State) string { return s.Events },
		"Shutdown":       func(s State) string { return "nvmlShutdown" + s.Reason + s.Events }, // nobody waits to be told
		"nothing":        func(s State) string { return "nvmlnothing" + s.Reason + s.Events + s.Devices[0].Verdict.Reason },
	} {
		t.Run(part, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := blocked{part, make(chan struct{})}
				w := New(b.open, nil)
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() { w.Run(ctx); close(ended) }()
				time.Sleep(eventWait + callDeadline + 2*Interval)
				if got := says(w.State()); !strings.HasPrefix(got, "nvml"+part) && !strings.HasPrefix(got, "stale: nvml"+part) {
					t.Errorf("%q", got)
				}
				cancel()
				began := time.Now()
				<-ended
				if took := time.Since(began); took > 2*eventWait {
					t.Errorf("Run ended after %v", took)
				}
				close(b.over)
				time.Sleep(2 * eventWait) // the thread comes back and ends
			})
		})
	}
}

// A look waits for readings, not for what hangs.
func TestLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		s := Look(t.Context(), blocked{part: "nothing"}.open)
		if len(s.Devices) != 1 || s.Devices[0].Verdict.Action != Serve || time.Since(began) > 0 {
			t.Errorf("%+v after %v", s, time.Since(began))
		}
		time.Sleep(2 * eventWait)
		b := blocked{"DeviceGetName", make(chan struct{})}
		if s := Look(t.Context(), b.open); len(s.Devices) != 1 || s.Devices[0].Verdict.Action != Unknown {
			t.Errorf("%+v", s)
		}
		close(b.over)
		time.Sleep(2 * eventWait)
	})
}

const xidPlace = "<!-- xids -->\n"

// docs/GPU.md has the table as the code has it: go test ./gpu -run XidDocument -rewrite
func TestXidDocument(t *testing.T) {
	const path = "../docs/GPU.md"
	table := &strings.Builder{}
	table.WriteString("| Xid | Meaning | Verdict | Needs |\n| ---: | --- | --- | --- |\n")
	for _, r := range XidRules() {
		needs := r.Needs.String()
		if r.Look {
			needs = "a closer look"
		}
		fmt.Fprintf(table, "| %d | %s | %s | %s |\n", r.Code, r.Meaning, r.Action, needs)
	}
	text, err := os.ReadFile(path)
	parts := strings.Split(string(text), xidPlace)
	if err != nil || len(parts) != 3 {
		t.Fatalf("%s: %v, %d places for the table", path, err, len(parts)-1)
	}
	want := strings.Join([]string{parts[0], table.String(), parts[2]}, xidPlace)
	if *Rewrite {
		err = os.WriteFile(path, []byte(want), 0o644)
	} else if parts[1] != table.String() {
		err = errors.New("out of date: go test ./gpu -run XidDocument -rewrite")
	}
	if err != nil {
		t.Errorf("%s: %v", path, err)
	}
}

func TestActionsAreOrdered(t *testing.T) {
	if list := Actions(); !slices.IsSorted(list) || len(list) != len(actionNames) || list[len(list)-1] != Replace {
		t.Errorf("%v", list)
	}
}

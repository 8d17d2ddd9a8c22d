package main

// This file owns the part of the list that is what pins offer, why a request is refused, and what is told of an overload.

func init() { list = append(list, offered...) }

var offered = []mutant{
	{
		name: "pins-found-in-part", file: "scheduler/offers.go", pkg: "scheduler", tests: []string{"TestPinsServeEverySalt"},
		old: "len(r.Prompt) >= len(p.tokens) && slices.Equal(r.Prompt[:len(p.tokens)], p.tokens)",
		new: "len(r.Prompt) >= len(p.tokens) && slices.Equal(r.Prompt[:engine.PageTokens], p.tokens[:engine.PageTokens])",
	},
	{
		name: "pins-of-a-tenant-for-all", file: "scheduler/offers.go", pkg: "scheduler", tests: []string{"TestPinsForATenant"},
		old: `p.tenant == "" || p.tenant == r.Tenant`, new: `p.tenant == "" || p.tenant != "nobody"`,
	},
	{
		name: "pins-shortest-counts", file: "scheduler/offers.go", pkg: "scheduler", tests: []string{"TestPinsForATenant"},
		old: "pages > best.pages", new: "best.pages == 0",
	},
	{
		name: "pins-of-tenants-named-alike", file: "scheduler/offers.go", pkg: "scheduler", tests: []string{"TestPinsForATenant"},
		old: `return "pinned for " + tenant`, new: `return ""`,
	},
	{
		name: "pins-told-to-nobody", file: "scheduler/pins.go", pkg: "scheduler", tests: []string{"TestPinsServeEverySalt"},
		old: "			s.groups[g].pool.share(id)\n		}\n	}\n	s.offer()\n", new: "			s.groups[g].pool.share(id)\n		}\n	}\n",
	},
	{
		name: "unpinned-is-still-offered", file: "scheduler/pins.go", pkg: "scheduler", tests: []string{"TestPinsServeEverySalt"},
		old: "		s.offer()\n		err = nil", new: "		err = nil",
	},
	{
		name: "behind-pins-all-is-shared", file: "scheduler/sequence.go", pkg: "scheduler", tests: []string{"TestPinsServeEverySalt"},
		old: "	case i == t.pages:\n		return s.key(i - 1).of(s.request.Salt)\n", new: "",
	},
	{
		name: "who-waits-finds-no-pin", file: "scheduler/generations.go", pkg: "scheduler", tests: []string{"TestPinsServeWhoWaits"},
		old: "(seq.generation != g || seq.offers != now)", new: "seq.generation != g",
	},
	{
		name: "pin-for-others-stays-as-it-is", file: "scheduler/pins.go", pkg: "scheduler", tests: []string{"TestPinsForATenant"},
		old: "slices.Equal(other.request.Prompt, p.request.Prompt) && other.tenant == p.tenant", new: "slices.Equal(other.request.Prompt, p.request.Prompt)",
	},
	{
		name: "pin-for-an-unknown-tenant", file: "api/cache.go", pkg: "api", tests: []string{"TestPins"},
		old: "s.Tenants == nil || !slices.Contains(s.Tenants(), *name)", new: "s.Tenants == nil || !slices.Contains(s.Tenants(), *name) && len(s.Tenants()) == 0",
	},
	{
		name: "pin-for-a-tenant-where-none-is-apart", file: "api/cache.go", pkg: "api", tests: []string{"TestPins"},
		old: "	case !s.IsolateTenants:\n		return \"\", nil\n", new: "",
	},
	{
		name: "pin-of-less-than-a-page", file: "api/cache.go", pkg: "api", tests: []string{"TestPins"},
		old: "len(ids) < engine.PageTokens || len(ids) > m.MaxContext", new: "len(ids) == 0 || len(ids) > m.MaxContext",
	},
	{
		name: "load-takes-any-body", file: "api/models.go", pkg: "api", tests: []string{"TestLoadAndUnload"},
		old: "len(raw) == 0 || string(raw) == \"null\" {", new: "len(raw) >= 0 {",
	},
	{
		name: "never-is-soon", file: "api/errors.go", pkg: "api", tests: []string{"TestOverload"},
		old: "h.RetryAfter >= 0 && (h.Status", new: "(h.Status",
	},
	{
		name: "long-waits-counted-as-a-full-queue", file: "scheduler/forecast.go", pkg: "scheduler/simulator", tests: []string{"TestWaitIsBounded"},
		old: "overload(wait-s.config.Wait, ErrLongWait)", new: "overload(wait-s.config.Wait, ErrQueueFull)",
	},
	{
		name: "long-wait-is-no-full-queue", file: "scheduler/request.go", pkg: "scheduler", tests: []string{"TestForeseenWaitIsBounded"},
		old: "return target == ErrQueueFull }", new: "return target == nil }",
	},
	{
		name: "late-trace-counts-from-nothing", file: "scheduler/simulator/report.go", pkg: "scheduler/simulator", tests: []string{"TestLateTraces"},
		old: "a.lastAt.Sub(a.began)", new: "a.lastAt.Sub(epoch)",
	},
	{
		name: "late-trace-waits-for-its-first", file: "scheduler/simulator/simulator.go", pkg: "scheduler/simulator", tests: []string{"TestLateTraces"},
		old: "clock: began}", new: "clock: epoch}",
	},
	{
		name: "late-answers-are-good", file: "bench/report.go", pkg: "bench", tests: []string{"TestGoodAnswers"},
		old: "l.Within > 0 && s.ttft <= l.Within", new: "l.Within > 0",
	},
	{
		name: "codes-of-refusals-are-lost", file: "client/client.go", pkg: "bench", tests: []string{"TestFailures"},
		old: "e.Message, e.Code = body.Error.Message, body.Error.Code", new: "e.Message = body.Error.Message",
	},
	{
		name: "overload-counts-late-answers", file: "bench/peer/rows.go", pkg: "bench/peer", tests: []string{"TestOfOverload"},
		old: "return float64(r.Good) / r.Seconds }", new: "return float64(r.Completed) / r.Seconds }",
	},
}

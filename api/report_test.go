package api

import (
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// This file owns tests of what may be asked of reports.

func TestReportAsk(t *testing.T) {
	now := time.Date(2027, 3, 2, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for query, want := range map[string]ReportAsk{
		"":                                      {ReportHTML, ago(24 * time.Hour), 0},
		"format=json&since=7d":                  {ReportJSON, ago(168 * time.Hour), 0},
		"since=90m&format=markdown":             {ReportMarkdown, ago(90 * time.Minute), 0},
		"against=24h":                           {ReportHTML, ago(24 * time.Hour), 24 * time.Hour},
		"since=2027-03-01T12:30:00Z":            {ReportHTML, ago(23*time.Hour + 30*time.Minute), 0},
		"since=400d&against=400d":               {ReportHTML, ago(400 * 24 * time.Hour), 400 * 24 * time.Hour},
		"since=2027-03-01T14%3A00%3A00%2B02:00": {ReportHTML, ago(24 * time.Hour), 0},
	} {
		var args fasthttp.Args
		args.Parse(query)
		got, err := reportAsk(&args, now)
		if err != nil || got.Format != want.Format || !got.Since.Equal(want.Since) || got.Against != want.Against {
			t.Errorf("%s: %+v %v", query, got, err)
		}
	}
	for query, want := range map[string]string{
		"format=pdf":                           "format: \"pdf\", it must be html, markdown or json",
		"format=":                              "format",
		"since=yesterday":                      "since: \"yesterday\": write how long ago",
		"since=":                               "since",
		"since=2027-03-03T12:00:00Z":           "must lie in the past",
		"since=1999-01-01T00:00:00Z":           "no more than 400 days ago",
		"since=401d":                           "since",
		"since=99999999999999999999d":          "since",
		"since=-5h":                            "since",
		"against=1s":                           "against: \"1s\": write a length",
		"against=2027-03-01T12:30:00Z":         "against",
		"since=1h&since=2h":                    "since: it stands twice",
		"sinse=1h":                             "sinse: there is no such parameter",
		"%ff=1":                                "there is no such parameter",
		"format=" + strings.Repeat("x", 1<<16): "format",
	} {
		var args fasthttp.Args
		args.Parse(query)
		if got, err := reportAsk(&args, now); err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 1000 {
			t.Errorf("%.60s: %+v %.300v", query, got, err)
		}
	}
}

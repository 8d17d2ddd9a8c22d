package api

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// This file owns GET /v1/report: what is asked for, in the address's query, and how the answer is labelled.

// ReportAsk is what somebody wants of a report.
type ReportAsk struct {
	Format  ReportFormat
	Since   time.Time     // where its period begins; it ends now
	Against time.Duration // length of the period before, that it is compared with; 0: none
}

// ReportFormat is the form of a report.
type ReportFormat string

// The forms.
const (
	ReportHTML     ReportFormat = "html"
	ReportMarkdown ReportFormat = "markdown"
	ReportJSON     ReportFormat = "json"
)

// contentTypes are the forms as HTTP calls them.
var contentTypes = map[ReportFormat]string{
	ReportHTML: "text/html; charset=utf-8", ReportMarkdown: "text/markdown; charset=utf-8", ReportJSON: "application/json",
}

// reportPeriod is a report's where nobody says: a day has its quiet and its busy hours.
const reportPeriod = 24 * time.Hour

// longestReport bounds periods: measurements are kept for little longer.
const longestReport = 400 * 24 * time.Hour

// reportPolicy keeps a page from loading or running anything, whatever a name in it may be.
const reportPolicy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

// Reporter makes reports.
type Reporter interface {
	// Report is of all tenants for the administrator, else of who asks.
	Report(ctx context.Context, a Asker, ask ReportAsk) ([]byte, error)
}

func (s *Server) report(c *call) error {
	ask, err := reportAsk(c.QueryArgs(), time.Now())
	if err != nil {
		return err
	}
	text, err := s.Reports.Report(c.context(), c.asker(), ask)
	if err != nil {
		return refusedByHistory(err)
	}
	c.SetContentType(contentTypes[ask.Format])
	c.Response.Header.Set("Content-Security-Policy", reportPolicy)
	c.Response.Header.Set("X-Content-Type-Options", "nosniff")
	c.Response.Header.Set("Cache-Control", "no-store") // it is of now, and of who asked
	c.SetBody(text)
	return nil
}

// reportAsk reads the query. A parameter that is not known, or stands twice, is a slip.
func reportAsk(query *fasthttp.Args, now time.Time) (ReportAsk, error) {
	ask := ReportAsk{Format: ReportHTML, Since: now.Add(-reportPeriod)}
	seen := map[string]bool{}
	var err error
	for key, value := range query.All() {
		name, text := string(key), string(value)
		switch {
		case err != nil:
		case seen[name]:
			err = badField(name, "it stands twice in the query")
		case name == "format":
			if ask.Format = ReportFormat(text); contentTypes[ask.Format] == "" {
				err = badField(name, "%q, it must be html, markdown or json", clip(validUTF8(text), maxParam))
			}
		case name == "since":
			ask.Since, err = reportSince(text, now)
		case name == "against":
			if ask.Against, err = reportLength(text); err != nil {
				err = badField(name, "%v", err)
			}
		default:
			err = badField(clip(validUTF8(name), maxParam), "there is no such parameter: a report has format, since and against")
		}
		seen[name] = true
	}
	return ask, err
}

// reportSince reads a beginning: so long ago, or a time.
func reportSince(text string, now time.Time) (time.Time, error) {
	if d, err := reportLength(text); err == nil {
		return now.Add(-d), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	switch {
	case err != nil:
		return at, badField("since", "%q: write how long ago, such as 90m, 24h or 7d, or a time such as 2027-01-02T15:04:05Z", clip(validUTF8(text), maxParam))
	case !at.Before(now) || now.Sub(at) > longestReport:
		return at, badField("since", "%q: it must lie in the past, and no more than 400 days ago", clip(validUTF8(text), maxParam))
	}
	return at, nil
}

// errLength is reportLength's, which does not say of which parameter.
var errLength = errors.New("write a length such as 90m, 24h or 7d, of a minute at least and 400 days at most")

// reportLength reads a length of time: Go's, and days, which Go has no word for.
func reportLength(text string) (d time.Duration, err error) {
	if days, isDays := strings.CutSuffix(text, "d"); isDays {
		var n uint64
		if n, err = strconv.ParseUint(days, 10, 16); err == nil {
			d = time.Duration(n) * 24 * time.Hour
		}
	} else {
		d, err = time.ParseDuration(text)
	}
	if err != nil || d < time.Minute || d > longestReport {
		return 0, fmt.Errorf("%q: %w", clip(validUTF8(text), maxParam), errLength)
	}
	return d, nil
}

package client

import (
	"context"
	"net/url"
	"time"
)

// This file owns asking for a report.

// reportWait bounds a report, which reads a year of minutes at most, behind another one.
const reportWait = 3 * time.Minute

// Report asks the daemon for a report as JSON and returns it byte for byte, once parse has found it to be one. since is when its period
// begins, and against the length of the period before; empty: as the daemon has it.
func (c *Client) Report(ctx context.Context, since, against string, parse func([]byte) error) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, reportWait)
	defer cancel()
	query := url.Values{"format": {"json"}}
	for name, value := range map[string]string{"since": since, "against": against} {
		if value != "" {
			query.Set(name, value)
		}
	}
	body, err := c.get(ctx, "/v1/report?"+query.Encode())
	if err != nil {
		return nil, err
	}
	return readWhole(c, body, func(text []byte) (struct{}, error) { return struct{}{}, parse(text) })
}

package client

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// This file owns what ps shows: models and load.

// Model is one entry of the daemon's list.
type Model struct {
	ID         string `json:"id"`
	Loaded     bool   `json:"loaded"`
	MaxContext int    `json:"max_model_len"`
}

// Status is a daemon's models and load.
type Status struct {
	Models     []Model `json:"models"`
	Running    int     `json:"requests_running"`
	Waiting    int     `json:"requests_waiting"`
	PagesUsed  int     `json:"kv_pages_used"`
	PagesTotal int     `json:"kv_pages_total"`
}

// statusTime bounds the question: a daemon answers it without computing.
const statusTime = 10 * time.Second

// Status asks the daemon. A server without /metrics that can be read is no daemon of ours: an error.
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	ctx, cancel := context.WithTimeout(ctx, statusTime)
	defer cancel()
	text, err := c.get(ctx, "/v1/models")
	if err != nil {
		return s, err
	}
	var list struct {
		Data []Model `json:"data"`
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return s, fmt.Errorf("the server's list of models: %w", err)
	}
	s.Models = list.Data
	text, err = c.get(ctx, "/metrics")
	if err != nil {
		return s, err
	}
	values := metrics(text)
	s.Running, s.Waiting = int(values["chimera_requests_running"]), int(values["chimera_requests_waiting"])
	s.PagesUsed, s.PagesTotal = int(values["chimera_kv_pages_used"]), int(values["chimera_kv_pages_total"])
	return s, nil
}

// metrics reads the samples of a Prometheus text without labels.
func metrics(text []byte) map[string]float64 {
	values := map[string]float64{}
	scanner := bufio.NewScanner(bytes.NewReader(text))
	for scanner.Scan() {
		name, value, ok := strings.Cut(scanner.Text(), " ")
		if x, err := strconv.ParseFloat(value, 64); ok && err == nil {
			values[name] = x
		}
	}
	return values
}

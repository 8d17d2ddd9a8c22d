package client

import (
	"context"
	"net/url"
)

// This file owns what load and unload ask for.

// Load asks the daemon to load a model, and waits for that.
func (c *Client) Load(ctx context.Context, name string) error { return c.change(ctx, name, "load") }

// Unload asks the daemon to let a model's requests end and to unload it, and waits for that.
func (c *Client) Unload(ctx context.Context, name string) error {
	return c.change(ctx, name, "unload")
}

func (c *Client) change(ctx context.Context, name, verb string) error {
	body, err := c.post(ctx, "/v1/models/"+url.PathEscape(name)+"/"+verb, struct{}{})
	if err != nil {
		return err
	}
	_, err = readWhole(c, body, func(text []byte) (Model, error) { return parseAnswer[Model](text, "state", '"') })
	return err
}

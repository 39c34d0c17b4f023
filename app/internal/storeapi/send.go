package storeapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// send makes one call and decodes the answer into out, unless that is nil. Its errors are or wrap those of detection.Store.
func (c *Client) send(ctx context.Context, method, path string, body []byte, out any) error {
	return c.sendWithin(ctx, c.timeout, method, path, body, out)
}

func (c *Client) sendWithin(ctx context.Context, timeout time.Duration, method, path string, body []byte, out any) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Content-Type", "application/json")
	req.Header["Idempotency-Key"] = []string{} // not sent; lets net/http retry when a kept connection turns out to be closed
	if deadline, ok := ctx.Deadline(); ok {
		req.Header.Set(headerTimeout, strconv.FormatInt(max(1, time.Until(deadline).Milliseconds()), 10))
	}
	err = c.exchange(req, out)
	if errors.Is(err, detection.ErrUnavailable) {
		c.http.CloseIdleConnections() // a store that came back has another address; find it with the next call
	}
	return err
}

func (c *Client) exchange(req *http.Request, out any) error {
	resp, err := c.http.Do(req)
	if err != nil {
		return unavailable(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBodyBytes))
	if err != nil {
		return unavailable(fmt.Errorf("read answer: %w", err))
	}
	if resp.StatusCode != http.StatusOK {
		return refusal(resp.StatusCode, body)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return unavailable(fmt.Errorf("decode answer: %w", err))
	}
	return nil
}

// refusal turns an answer of the store into the error that the store had. What it did not say itself (a proxy did, or a
// wrong token is in use) counts as unavailable: callers then keep the detection until that is mended.
func refusal(status int, body []byte) error {
	var said errorResponse
	_ = json.Unmarshal(body, &said) // if it is not JSON, the status has to do
	switch {
	case status == http.StatusInsufficientStorage:
		return detection.ErrFull
	case said.Code == detection.CodeNotFound:
		return detection.ErrNotFound
	case status == http.StatusBadRequest || status == http.StatusRequestEntityTooLarge:
		if said.Code != "" {
			return &detection.Error{Code: said.Code, Message: said.Message, Field: said.Field}
		}
	}
	if status == http.StatusNotFound && said.Code == "" {
		return unavailable(errNoSuchCall)
	}
	return unavailable(fmt.Errorf("status %d: %s", status, said.Message))
}

// errNoSuchCall is what a store of an older release answers to a call that it does not know, and what something else may
// answer that is no store.
var errNoSuchCall = errors.New("status 404: no such call")

// unavailable puts detection.ErrUnavailable in front of err, unless err is already one that callers know.
func unavailable(err error) error {
	var known *detection.Error
	if errors.As(err, &known) {
		return err
	}
	return fmt.Errorf("%w: %w", detection.ErrUnavailable, err)
}

package storeapi

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/detection-api/detection-api/app/internal/detection"
)

var _ detection.Operations = (*Client)(nil)

// routeOperations adds the calls of operators, when the store has them.
func (s *server) routeOperations(mux *http.ServeMux) {
	ops := s.opts.Operations
	if ops == nil {
		return
	}
	mux.Handle("GET "+pathLetters, s.guard(func(r *http.Request) (any, error) {
		limit, err := number(r, "limit")
		if err != nil {
			return nil, err
		}
		letters, err := ops.DeadLetters(r.Context(), r.URL.Query().Get("after"), int(min(limit, maxClaim)))
		return lettersResponse{letters}, err
	}))
	mux.Handle("GET "+pathAudit, s.guard(func(r *http.Request) (any, error) {
		after, err := number(r, "after")
		if err != nil {
			return nil, err
		}
		limit, err := number(r, "limit")
		if err != nil {
			return nil, err
		}
		entries, err := ops.Audit(r.Context(), after, int(min(limit, maxClaim)))
		return auditResponse{entries}, err
	}))
	mux.Handle("POST "+pathRedrive, s.guard(call(order(ops.Redrive))))
	mux.Handle("POST "+pathPurge, s.guard(call(order(ops.Purge))))
}

func order(run func(context.Context, []string, detection.Order) (int, error)) func(context.Context, orderRequest) (orderResponse, error) {
	return func(ctx context.Context, in orderRequest) (orderResponse, error) {
		n, err := run(ctx, in.IDs, in.Order)
		return orderResponse{n}, err
	}
}

// number reads a parameter of the query; one that is not there is 0.
func number(r *http.Request, name string) (int64, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, detection.Invalid(name, "must be a whole number, not negative")
	}
	return n, nil
}

// DeadLetters implements detection.Operations. The store may return fewer than limit at a time: at most 10,000.
func (c *Client) DeadLetters(ctx context.Context, after string, limit int) ([]detection.DeadLetter, error) {
	var out lettersResponse
	err := c.page(ctx, "list dead letters of the store", pathLetters, after, limit, &out)
	return out.DeadLetters, err
}

// Audit implements detection.Operations. The store may return fewer than limit at a time: at most 10,000.
func (c *Client) Audit(ctx context.Context, after int64, limit int) ([]detection.AuditEntry, error) {
	var out auditResponse
	err := c.page(ctx, "list the store's audit trail", pathAudit, strconv.FormatInt(after, 10), limit, &out)
	return out.Entries, err
}

// Redrive implements detection.Operations.
func (c *Client) Redrive(ctx context.Context, ids []string, order detection.Order) (int, error) {
	var out orderResponse
	err := c.post(ctx, "redrive dead letters of the store", pathRedrive, orderRequest{order, ids}, &out)
	return out.Count, err
}

// Purge implements detection.Operations.
func (c *Client) Purge(ctx context.Context, ids []string, order detection.Order) (int, error) {
	var out orderResponse
	err := c.post(ctx, "purge dead letters of the store", pathPurge, orderRequest{order, ids}, &out)
	return out.Count, err
}

func (c *Client) page(ctx context.Context, doing, path, after string, limit int, out any) error {
	if limit <= 0 {
		return nil
	}
	query := url.Values{"after": {after}, "limit": {strconv.Itoa(limit)}}
	if err := c.send(ctx, http.MethodGet, path+"?"+query.Encode(), nil, out); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

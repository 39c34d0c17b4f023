package storeapi_test

import (
	"bytes"
	"context"
	"io"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/storeapi"
)

// slowReader gives a part of a copy at a time.
type slowReader struct {
	io.Reader
	pause time.Duration
}

func (r slowReader) Read(p []byte) (int, error) {
	<-time.After(r.pause)
	return r.Reader.Read(p[:min(len(p), 32<<10)])
}

// TestACopyMayTakeLongerThanACall makes and sends a copy for longer than the server lets any other call last.
func TestACopyMayTakeLongerThanACall(t *testing.T) {
	content := bytes.Repeat([]byte("a page of a database"), 10_000)
	refuse := false
	server := httptest.NewUnstartedServer(storeapi.NewServer(storeapi.ServerOptions{
		Token: token, Timeout: 50 * time.Millisecond,
		Copy: func(ctx context.Context) (*storeapi.Copy, error) {
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(400 * time.Millisecond):
			}
			if refuse {
				return nil, &detection.Error{Code: detection.CodeStorageFull, Message: "no room for a copy"}
			}
			body := io.NopCloser(slowReader{bytes.NewReader(content), 50 * time.Millisecond})
			return &storeapi.Copy{ReadCloser: body, Bytes: int64(len(content)), TakenAt: time.Now()}, nil
		},
	}))
	server.Config.ReadHeaderTimeout = 10 * time.Second // else ReadTimeout is that of a new connection's header too
	server.Config.ReadTimeout, server.Config.WriteTimeout = 100*time.Millisecond, 100*time.Millisecond
	server.Start()
	defer server.Close()
	client := newClient(t, storeapi.ClientOptions{BaseURL: server.URL, Timeout: 50 * time.Millisecond})
	c, err := client.Copy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, content) {
		t.Errorf("read %d of %d bytes: %v", len(got), len(content), err)
	}
	refuse = true
	if _, err := client.Copy(t.Context()); detection.CodeOf(err) != detection.CodeStorageFull {
		t.Errorf("a copy that was refused late: %v", err)
	}
}

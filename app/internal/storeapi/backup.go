package storeapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// The paths of the backup. They take the same token as the others.
const (
	pathCopy   = "/v1/backup/copy"
	pathBackup = "/v1/backup" // POST tells of a verified one
)

// What the answer to a copy carries beside it. The digest is a trailer: it is known when all has been read once.
const (
	headerCopyBytes = "X-Copy-Bytes"
	headerTakenAt   = "X-Copy-Taken-At" // RFC 3339
	headerCopyTook  = "X-Copy-Took-Ms"
	headerHost      = "X-Store-Host"
	headerVersion   = "X-Store-Version"
	trailerDigest   = "X-Copy-Sha256"
)

// writePatience is how long a client of a copy may take for each part of it.
const writePatience = 30 * time.Second

// Copy is a consistent copy of the store's database, to be read once.
type Copy struct {
	io.ReadCloser
	Bytes   int64
	TakenAt time.Time
	Took    time.Duration
	Host    string // where it was made
	Version string // of the program that made it
}

// Backup is what a backup job tells the store about a copy that it has kept and verified.
type Backup struct {
	Name       string    `json:"name"`
	TakenAt    time.Time `json:"taken_at"`
	VerifiedAt time.Time `json:"verified_at"`
	Bytes      int64     `json:"bytes"`
	SHA256     string    `json:"sha256"`
	CopyMS     int64     `json:"copy_ms"` // how long the store took to make it
}

// routeBackup adds the calls of a backup job, when the store can be copied.
func (s *server) routeBackup(mux *http.ServeMux) {
	if s.opts.Copy != nil {
		mux.HandleFunc("GET "+pathCopy, s.copy)
	}
	if s.opts.Verified != nil {
		mux.Handle("POST "+pathBackup, s.guard(call(func(ctx context.Context, in Backup) (empty, error) {
			return empty{}, s.opts.Verified(ctx, in)
		})))
	}
}

// copy answers with the whole database. It does not count among the calls in flight: there is one copy at a time, and the
// time-outs of a call would end it.
func (s *server) copy(w http.ResponseWriter, r *http.Request) {
	if !s.authorized(r) {
		s.refuse(w, r, &detection.Error{Code: detection.CodeUnauthorized, Message: "a valid store token is needed"})
		return
	}
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Time{}) // the server's is for small calls; where there is none, nothing is lost
	c, err := s.opts.Copy(r.Context())
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	defer c.Close()
	header := w.Header()
	for key, value := range map[string]string{
		"Content-Type": "application/vnd.sqlite3", "Trailer": trailerDigest,
		headerCopyBytes: strconv.FormatInt(c.Bytes, 10), headerTakenAt: c.TakenAt.UTC().Format(time.RFC3339Nano),
		headerCopyTook: strconv.FormatInt(c.Took.Milliseconds(), 10), headerHost: c.Host, headerVersion: c.Version,
	} {
		header.Set(key, value)
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(patientWriter{w, control}, sum), c)
	if err != nil || n != c.Bytes {
		s.opts.Logger.Warn("send copy", "sent_bytes", n, "bytes", c.Bytes, "error", err)
		panic(http.ErrAbortHandler) // a part must not look like the whole
	}
	header.Set(trailerDigest, hex.EncodeToString(sum.Sum(nil)))
	s.opts.Logger.Info("copy sent", "bytes", n, "copy_ms", c.Took.Milliseconds())
}

// patientWriter gives each write its own deadline.
type patientWriter struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (w patientWriter) Write(p []byte) (int, error) {
	_ = w.control.SetWriteDeadline(time.Now().Add(writePatience)) // no deadline: the copy goes out all the same
	return w.ResponseWriter.Write(p)
}

// Copy asks the store for a copy of its database. ctx bounds the making and the reading; the time-out of the client's
// other calls does not. A read that ends with io.EOF has brought all of it, as the store's own digest shows.
func (c *Client) Copy(ctx context.Context) (*Copy, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+pathCopy, nil)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the store for a copy: %w", unavailable(err))
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		return nil, fmt.Errorf("ask the store for a copy: %w", copyRefusal(resp))
	}
	took, _ := strconv.ParseInt(resp.Header.Get(headerCopyTook), 10, 64) // told for information only
	out := &Copy{Took: time.Duration(took) * time.Millisecond, Host: resp.Header.Get(headerHost), Version: resp.Header.Get(headerVersion)}
	out.Bytes, err = strconv.ParseInt(resp.Header.Get(headerCopyBytes), 10, 64)
	if err == nil {
		out.TakenAt, err = time.Parse(time.RFC3339Nano, resp.Header.Get(headerTakenAt))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the store's answer is no copy: %w", err), resp.Body.Close())
	}
	out.ReadCloser = &checkedBody{resp: resp, sum: sha256.New(), left: out.Bytes}
	return out, nil
}

// copyRefusal says what the store said.
func copyRefusal(resp *http.Response) error {
	var said errorResponse
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // what cannot be read or decoded is told by the status
	if json.Unmarshal(body, &said) != nil || said.Code == "" {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	return &detection.Error{Code: said.Code, Message: said.Message}
}

// checkedBody turns the end of a body into an error unless it is the one that the store announced.
type checkedBody struct {
	resp *http.Response
	sum  hash.Hash
	left int64
}

func (b *checkedBody) Read(p []byte) (int, error) {
	n, err := b.resp.Body.Read(p)
	b.sum.Write(p[:n])
	b.left -= int64(n)
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	if b.left != 0 {
		return n, fmt.Errorf("the copy ended with %d bytes missing", b.left)
	}
	if got, want := hex.EncodeToString(b.sum.Sum(nil)), b.resp.Trailer.Get(trailerDigest); got != want {
		return n, fmt.Errorf("the copy has SHA-256 %s, the store sent %q", got, want)
	}
	return n, io.EOF
}

func (b *checkedBody) Close() error { return b.resp.Body.Close() }

// Verified tells the store that a copy is kept and verified, so that it can show the age of the newest one.
func (c *Client) Verified(ctx context.Context, b Backup) error {
	return c.post(ctx, "tell the store of the backup", pathBackup, b, nil)
}

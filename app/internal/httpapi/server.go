package httpapi

import (
	"log/slog"
	"net/http"
	"time"
)

// The bounds of a connection. net/http has none by default, so that one client could hold a connection for ever.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second // header and body: 16 MiB need 9 Mbit/s
	writeTimeout      = 30 * time.Second // from the end of the header on, so it includes reading the body and the commit
	idleTimeout       = 75 * time.Second // longer than the 60 s after which common load balancers let go of a connection
	maxHeaderBytes    = 16 << 10
)

// NewServer returns a server for the handler with every timeout set. It does not listen yet. The server's own complaints,
// such as broken TLS handshakes, go to the logger as warnings.
func NewServer(handler http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
}

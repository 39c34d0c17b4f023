// Command probe is the pod of the data-plane check: an HTTP server that answers with its host name and makes
// connections and name look-ups when asked to.
//
//	GET /                               200, the host name
//	GET /fetch?url=U&timeout=D          200, {"ok":true,"text":U's body} or {"ok":false,"text":the error}
//	GET /resolve?name=N&timeout=D       200, {"ok":true,"text":N's addresses} or {"ok":false,"text":the error}
//
// A failed action is still an answer with status 200, so that it is not taken for a failure on the way to the probe.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// answerLimit bounds what is passed on of a fetched body, in bytes.
const answerLimit = 4 << 10

func main() {
	listen := flag.String("listen", ":8080", "address to serve on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, *listen); err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
}

// serve answers on address until ctx ends.
func serve(ctx context.Context, address string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", hostname)
	mux.HandleFunc("GET /fetch", answer(fetch, "url"))
	mux.HandleFunc("GET /resolve", answer(resolve, "name"))
	server := &http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		<-ctx.Done()
		server.Close()
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func hostname(w http.ResponseWriter, _ *http.Request) {
	name, err := os.Hostname()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprint(w, name)
}

// result is what an action answers.
type result struct {
	OK   bool   `json:"ok"`
	Text string `json:"text"`
}

// answer turns an action on one query parameter into a handler with a time limit.
func answer(action func(context.Context, string) (string, error), parameter string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		timeout, err := time.ParseDuration(r.FormValue("timeout"))
		if err != nil {
			http.Error(w, "timeout: "+err.Error(), http.StatusBadRequest)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		text, err := action(ctx, r.FormValue(parameter))
		got := result{OK: err == nil, Text: text}
		if err != nil {
			got.Text = err.Error()
		}
		if err := json.NewEncoder(w).Encode(got); err != nil {
			fmt.Fprintln(os.Stderr, "probe: answer:", err)
		}
	}
}

// fetch gets a URL over a connection of its own: a kept-alive one would outlive a policy that forbids it.
func fetch(ctx context.Context, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, answerLimit))
	return string(body), err
}

func resolve(ctx context.Context, name string) (string, error) {
	addresses, err := net.DefaultResolver.LookupHost(ctx, name)
	return strings.Join(addresses, "\n"), err
}

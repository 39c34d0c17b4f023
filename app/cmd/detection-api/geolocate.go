package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/detection-api/detection-api/app/internal/detection"
)

const aboutGeolocate = `detection-api geolocate [flags] [FILE ...]

Reads one detection as JSON a line, from the files or from standard input, and writes one JSON a line in the same order:
the position (lat, lon in degrees, hae_m, msl_m, slant_range_m, depression_deg, method, height_source) with its error (ce90_m,
le90_m, flag, error_method, and ellipse: full axes in metres of the 90 % ellipse and the bearing of the major one), or
error_code and error_message.
hae_m is null when the altitude datum is AGL, which does not tell the height of the ground. No server and no key is needed.
A line without a position is an answer, not a failure: the exit code is 0, and the number of such lines goes to standard
error.`

// maxLineBytes bounds one input line; a line may carry a picture.
const maxLineBytes = 64 << 20

// located is one line of output: the fix as the service's answer has it.
type located struct {
	detection.Fix
	Warnings []string `json:"warnings,omitempty"`
}

// refused is the other kind of line.
type refused struct {
	Code    detection.Code    `json:"error_code"`
	Message string            `json:"error_message"`
	Details map[string]string `json:"details,omitempty"`
}

func runGeolocate(ctx context.Context, io streams, args []string) error {
	fs := flag.NewFlagSet("geolocate", flag.ContinueOnError)
	thresholds := thresholdFlags(fs)
	ground := groundFlags{}
	ground.register(fs)
	if err := parse(fs, aboutGeolocate, io.out, args); err != nil {
		return err
	}
	if err := checkThresholds(*thresholds); err != nil {
		return err
	}
	out := bufio.NewWriter(io.out)
	locator, err := ground.locator(*thresholds)
	if err != nil {
		return err
	}
	g := geolocator{locator: locator, out: out}
	err = g.readAll(ctx, io.in, fs.Args())
	if g.failed > 0 {
		fmt.Fprintf(io.err, "detection-api geolocate: %d of %d lines have no position\n", g.failed, g.lines)
	}
	return errors.Join(err, out.Flush())
}

type geolocator struct {
	locator       detection.Locator
	out           *bufio.Writer
	lines, failed int
}

func (g *geolocator) readAll(ctx context.Context, in io.Reader, files []string) error {
	if len(files) == 0 {
		return g.read(ctx, in)
	}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		err = g.read(ctx, f)
		_ = f.Close() // it was only read
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// read answers each line at once when input comes slowly, so that the command can be the middle of a pipe.
func (g *geolocator) read(ctx context.Context, in io.Reader) error {
	lines := bufio.NewReaderSize(in, 1<<16)
	for ctx.Err() == nil {
		line, err := readLine(lines)
		line = bytes.TrimPrefix(line, []byte("\ufeff")) // Windows programs begin files with it
		if text := bytes.TrimSpace(line); len(text) > 0 {
			if err := g.line(text, len(line) > maxLineBytes); err != nil {
				return err
			}
		}
		if lines.Buffered() == 0 {
			if err := g.out.Flush(); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// readLine returns the next line; of one that is too long, the first maxLineBytes+1 bytes.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if room := maxLineBytes + 1 - len(line); room > 0 {
			line = append(line, part[:min(len(part), room)]...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

func (g *geolocator) line(text []byte, tooLong bool) error {
	g.lines++
	var answer any
	result, err := g.locate(text, tooLong)
	if err != nil {
		g.failed++
		answer = refusal(err)
	} else {
		answer = result
	}
	return json.NewEncoder(g.out).Encode(answer)
}

func (g *geolocator) locate(text []byte, tooLong bool) (located, error) {
	if tooLong {
		return located{}, &detection.Error{
			Code:    detection.CodeTooLarge,
			Message: fmt.Sprintf("the line is longer than %d bytes", maxLineBytes),
		}
	}
	in, err := detection.ParseView(text)
	if err != nil {
		return located{}, err
	}
	fix, warnings, err := g.locator.Locate(in)
	if err != nil {
		return located{}, err
	}
	return located{Fix: fix, Warnings: append(in.Warnings, warnings...)}, nil
}

func refusal(err error) refused {
	var e *detection.Error
	if !errors.As(err, &e) {
		return refused{Code: detection.CodeInternal, Message: err.Error()}
	}
	r := refused{Code: e.Code, Message: e.Message}
	if e.Field != "" {
		r.Details = map[string]string{"field": e.Field}
		r.Message = e.Field + ": " + e.Message
	}
	return r
}

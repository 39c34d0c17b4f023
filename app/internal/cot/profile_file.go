package cot

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/detection-api/detection-api/app/internal/geo"
)

const (
	maxProfileBytes = 1 << 20
	maxStale        = 366 * 24 * time.Hour
)

// profileFile is the file; pointers tell absent fields from empty ones.
type profileFile struct {
	Base         string                     `json:"base"`
	AllowHostile bool                       `json:"allow_hostile"`
	Errors       *string                    `json:"errors"`
	ColorBy      *string                    `json:"color_by"`
	FlagColors   map[string]string          `json:"flag_colors"`
	Stale        *string                    `json:"stale"`
	Classes      map[string]json.RawMessage `json:"classes"`
	Fallback     json.RawMessage            `json:"fallback"`
}

type classFile struct {
	Names       *[]string `json:"names"`
	Type        *string   `json:"type"`
	Affiliation *string   `json:"affiliation"`
	How         *string   `json:"how"`
	Stale       *string   `json:"stale"`
	Color       *string   `json:"color"`
	Icon        *string   `json:"icon"`
}

// ParseProfile reads a profile from a JSON file: a built-in profile ("base") and what differs from it. It is strict: unknown
// and repeated names, data after the object and values out of range are errors, and all of them are told at once, each with
// its class and field. A class is hostile, or suspect, only where the file says "allow_hostile": true.
func ParseProfile(data []byte) (*Profile, error) {
	if len(data) > maxProfileBytes {
		return nil, fmt.Errorf("the CoT profile is longer than %d bytes", maxProfileBytes)
	}
	var file profileFile
	if err := decodeStrictly(data, &file); err != nil {
		return nil, fmt.Errorf("read the CoT profile: %w", err)
	}
	p, err := ProfileNamed(file.Base)
	if err != nil {
		return nil, fmt.Errorf("base: %w", err)
	}
	if err := errors.Join(file.applyTo(p), file.applyClassesTo(p)); err != nil {
		return nil, fmt.Errorf("check the CoT profile: %w", err)
	}
	return p, nil
}

// decodeStrictly decodes one JSON object and nothing else.
func decodeStrictly(data []byte, into any) error {
	if !utf8.Valid(data) {
		return errors.New("it is not valid UTF-8")
	}
	if trimmed := bytes.TrimLeft(data, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return errors.New("it is no JSON object")
	}
	if err := checkNames(json.NewDecoder(bytes.NewReader(data)), ""); err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return jsonError(err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("there is more after the JSON object")
	}
	return nil
}

func jsonError(err error) error {
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		return fmt.Errorf("%s: not a %s", wrongType.Field, wrongType.Value)
	}
	return errors.New(strings.TrimPrefix(err.Error(), "json: "))
}

// checkNames walks through one value and refuses an object that has a name twice, of which encoding/json would take the
// last and say nothing. It does not tell upper from lower case either, so neither does this.
func checkNames(decoder *json.Decoder, path string) error {
	token, err := decoder.Token()
	if err != nil {
		return jsonError(err)
	}
	if token != json.Delim('{') && token != json.Delim('[') {
		return nil
	}
	seen := map[string]bool{}
	for decoder.More() {
		inner := path
		if token == json.Delim('{') {
			name, err := decoder.Token()
			if err != nil {
				return jsonError(err)
			}
			inner = path + fmt.Sprint(name)
			if seen[strings.ToLower(inner)] {
				return fmt.Errorf("%.120q is there twice", inner)
			}
			seen[strings.ToLower(inner)] = true
			inner += "."
		}
		if err := checkNames(decoder, inner); err != nil {
			return err
		}
	}
	if _, err = decoder.Token(); err != nil {
		return jsonError(err)
	}
	return nil
}

// applyTo changes what is not about one class.
func (f *profileFile) applyTo(p *Profile) error {
	var problems []error
	p.hostilesOK = f.AllowHostile
	if f.Errors != nil {
		p.oneSigma = *f.Errors == "one-sigma"
		if *f.Errors != "ce90" && !p.oneSigma {
			problems = append(problems, fmt.Errorf("errors: must be \"ce90\" or \"one-sigma\", not %.40q", *f.Errors))
		}
	}
	if f.ColorBy != nil {
		p.byClass = *f.ColorBy == "class"
		if *f.ColorBy != "flag" && !p.byClass {
			problems = append(problems, fmt.Errorf("color_by: must be \"flag\" or \"class\", not %.40q", *f.ColorBy))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.FlagColors)) {
		argb, err := parseColour(f.FlagColors[name])
		if _, known := p.flags[geo.Flag(name)]; !known && err == nil {
			err = errors.New("must be GREEN, YELLOW or RED")
		}
		problems = append(problems, within("flag_colors."+name, err))
		p.flags[geo.Flag(name)] = argb
	}
	if f.Stale != nil {
		stale, err := parseStale(*f.Stale)
		problems = append(problems, within("stale", err))
		p.stale = stale
	}
	return errors.Join(problems...)
}

// within says which field an error is about.
func within(field string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", field, err)
}

package cot

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

const maxIconBytes = 128

// applyClassesTo changes the classes of p, in the order of their names, so that the errors come in one order.
func (f *profileFile) applyClassesTo(p *Profile) error {
	var problems []error
	owners := map[string]string{} // which class of the file has a name
	for _, given := range slices.Sorted(maps.Keys(f.Classes)) {
		field := "classes." + given
		var in classFile
		if err := decodeStrictly(f.Classes[given], &in); err != nil {
			problems = append(problems, within(field, err))
			continue
		}
		c, names := p.named(className(given), in.Names)
		for _, name := range names {
			if other, taken := owners[name]; taken {
				problems = append(problems, fmt.Errorf("%s: %q is a name of %s as well", field, name, other))
			}
			owners[name], p.classes[name] = field, c
			problems = append(problems, within(field, checkName(name)))
		}
		problems = append(problems, within(field, p.edit(c, in)))
	}
	if f.Fallback != nil {
		problems = append(problems, within("fallback", p.applyFallback(f.Fallback)))
	}
	return errors.Join(problems...)
}

func (p *Profile) applyFallback(raw json.RawMessage) error {
	var in classFile
	if err := decodeStrictly(raw, &in); err != nil {
		return err
	}
	if in.Names != nil {
		return errors.New("names: the fallback has none; it is for all that have no class")
	}
	return p.edit(p.fallback, in)
}

// named returns the class that the profile has under the name, or a new one, and the names that the file gives it. Those
// replace the further names that it had.
func (p *Profile) named(name string, others *[]string) (*class, []string) {
	c, known := p.classes[name]
	if !known || c.name != name { // a further name of another class becomes a class of its own
		c = &class{name: name, how: howImagery, icon: iconAuto}
	}
	names := []string{name}
	if others == nil {
		return c, names
	}
	maps.DeleteFunc(p.classes, func(other string, owner *class) bool { return owner == c && other != name })
	for _, other := range *others {
		names = append(names, className(other))
	}
	return c, names
}

func checkName(name string) error {
	if name == "" || len(name) > maxClassName {
		return fmt.Errorf("%.80q is no name: it must have 1 to %d bytes", name, maxClassName)
	}
	return nil
}

// edit sets the fields that the file gives.
func (p *Profile) edit(c *class, in classFile) error {
	if c.kind == "" && in.Type == nil {
		return errors.New("type: is missing; the base has no such class")
	}
	var problems []error
	set := func(field string, value *string, use func(string) error) {
		if value != nil {
			problems = append(problems, within(field, use(*value)))
		}
	}
	set("type", in.Type, func(v string) error { c.kind = v; return checkType(v) })
	set("affiliation", in.Affiliation, c.affiliate)
	set("how", in.How, func(v string) error { c.how = v; return checkHow(v) })
	set("stale", in.Stale, func(v string) (err error) { c.stale, err = parseStale(v); return err })
	set("color", in.Color, func(v string) (err error) { c.argb, err = parseColour(v); return err })
	set("icon", in.Icon, func(v string) error { c.icon = v; return checkIcon(v) })
	problems = append(problems, within("type", p.checkHostile(c.kind)), within("icon", p.checkHostile(c.icon)))
	return errors.Join(problems...)
}

func (p *Profile) checkHostile(text string) error {
	if p.hostilesOK || !hostile(text) {
		return nil
	}
	return fmt.Errorf(`%q is drawn as hostile, which an AI alone does not decide; "allow_hostile": true permits it`, text)
}

// affiliate puts an affiliation into the type of a thing.
func (c *class) affiliate(letter string) error {
	tokens := strings.Split(c.kind, "-")
	if tokens[0] != "a" || len(tokens) < 2 {
		return fmt.Errorf("the type %q has none; it does not begin with a-", c.kind)
	}
	tokens[1] = letter
	c.kind = strings.Join(tokens, "-")
	return checkType(c.kind)
}

// checkIcon accepts what may stand in an attribute as it is.
func checkIcon(path string) error {
	if path == "" || len(path) > maxIconBytes {
		return fmt.Errorf("must be \"auto\", \"none\" or a path of 1 to %d bytes", maxIconBytes)
	}
	if i := strings.IndexFunc(path, func(r rune) bool { return r < ' ' || r > '~' || strings.ContainsRune(`<>&"'`, r) }); i >= 0 {
		return fmt.Errorf("%.140q: byte %d is not allowed in a path", path, i)
	}
	return nil
}

func parseStale(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Second || d > maxStale {
		return 0, fmt.Errorf("must be a duration from 1s to %dh, such as 90s or 30m, not %.40q", int(maxStale.Hours()), text)
	}
	return d, nil
}

// parseColour reads #rrggbb or #aarrggbb and returns it as CoT has colours.
func parseColour(text string) (string, error) {
	digits, found := strings.CutPrefix(text, "#")
	value, err := strconv.ParseUint(digits, 16, 32)
	switch {
	case !found || err != nil || len(digits) != 6 && len(digits) != 8:
		return "", fmt.Errorf("must be #rrggbb or #aarrggbb, not %.40q", text)
	case len(digits) == 6:
		value |= 0xff000000
	}
	return strconv.Itoa(int(int32(uint32(value)))), nil
}

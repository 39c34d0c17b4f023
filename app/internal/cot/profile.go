package cot

import (
	"fmt"
	"strings"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/geo"
)

// Profile says how object classes look on the map: type, how, colour, icon and time to live of each. It does not change
// once it is made and is safe for concurrent use. Tactical, SearchAndRescue and ParseProfile make one.
type Profile struct {
	classes    map[string]*class // by each of its names, as className writes them
	fallback   *class            // of classes that are not known
	stale      time.Duration     // of classes that have none of their own; 0: Encoder.Stale
	flags      map[geo.Flag]string
	byClass    bool // colour by class, not by flag
	oneSigma   bool // ce and le are standard deviations, not 90 % errors
	hostilesOK bool // a class may be hostile
}

// class is one row of a profile.
type class struct {
	name  string
	names []string // further ones that a built-in profile begins with
	kind  string   // CoT type
	how   string   // of a single-image fix
	stale time.Duration
	argb  string // signed 32-bit 0xAARRGGBB; empty: white
	icon  string // path of the icon, or iconAuto or iconNone
}

// The icons that are no path.
const (
	iconAuto = "auto" // the one that belongs to the type
	iconNone = "none" // leave the choice to the receiver
)

// howImagery is "mensurated from imagery": a fix from one image.
const howImagery = "m-i"

// howFused is "machine fused": a position from several detections.
const howFused = "m-f"

// Colours as CoT has them: a signed 32-bit 0xAARRGGBB.
const (
	argbGreen  = "-16711936" // 0xff00ff00
	argbYellow = "-256"      // 0xffffff00
	argbRed    = "-65536"    // 0xffff0000
	argbOrange = "-32768"    // 0xffff8000
	argbBlue   = "-16744193" // 0xff0080ff
	argbWhite  = "-1"
)

// The names of the built-in profiles.
const (
	TacticalName        = "tactical"
	SearchAndRescueName = "sar"
)

// tactical is the profile of an Encoder that has none. Nothing changes it.
var tactical = Tactical()

// Tactical returns the default profile: ground, air and sea symbols of MIL-STD-2525, coloured by the quality of the
// position. The codes are those of MITRE's CoT type list as ATAK ships it (takcot mitre/types.txt). The affiliation is
// always u (unknown): an AI alone never makes anything hostile.
func Tactical() *Profile {
	p := newProfile(
		class{name: "vehicle", names: []string{"car", "truck", "bus", "motorcycle", "van"}, kind: "a-u-G-E-V", argb: argbYellow},
		class{
			name: "armed_vehicle", names: []string{"armored_vehicle", "armoured_vehicle", "tank"}, kind: "a-u-G-E-V-A",
			argb: argbRed,
		},
		class{name: "person", names: []string{"pedestrian"}, kind: "a-u-G-U-C-I", argb: argbOrange},
		class{name: "aircraft", names: []string{"airplane", "helicopter"}, kind: "a-u-A", argb: argbBlue},
		class{name: "drone", names: []string{"uav"}, kind: "a-u-A-M-F-Q", argb: argbBlue},
		class{name: "vessel", names: []string{"boat", "ship"}, kind: "a-u-S", argb: argbBlue},
		class{name: "fire", kind: "b-l-f", argb: argbRed},
	)
	return p
}

// SearchAndRescue returns a profile for search teams: people and fires are spot markers, which every client draws, vehicles
// and aircraft are civil ones, colours tell the classes apart, and people and fires stay on the map for half an hour.
func SearchAndRescue() *Profile {
	p := newProfile(
		class{name: "person", names: []string{"pedestrian"}, kind: spotType, argb: argbOrange, stale: 30 * time.Minute},
		class{name: "fire", kind: spotType, argb: argbRed, stale: 30 * time.Minute},
		class{name: "vehicle", names: []string{"car", "truck", "bus", "motorcycle", "van"}, kind: "a-u-G-E-V-C", argb: argbYellow},
		class{
			name: "armed_vehicle", names: []string{"armored_vehicle", "armoured_vehicle", "tank"}, kind: "a-u-G-E-V-A",
			argb: argbYellow,
		},
		class{name: "aircraft", names: []string{"airplane", "helicopter"}, kind: "a-u-A-C", argb: argbBlue},
		class{name: "drone", names: []string{"uav"}, kind: "a-u-A-M-F-Q", argb: argbBlue},
		class{name: "vessel", names: []string{"boat", "ship"}, kind: "a-u-S", argb: argbBlue},
	)
	p.byClass = true
	return p
}

// ProfileNamed returns the built-in profile with the name, "tactical" or "sar"; empty means tactical.
func ProfileNamed(name string) (*Profile, error) {
	switch name {
	case "", TacticalName:
		return Tactical(), nil
	case SearchAndRescueName:
		return SearchAndRescue(), nil
	}
	return nil, fmt.Errorf("no CoT profile is called %.40q; there are %q and %q", name, TacticalName, SearchAndRescueName)
}

func newProfile(classes ...class) *Profile {
	p := &Profile{
		classes:  make(map[string]*class, 4*len(classes)),
		fallback: &class{name: "fallback", kind: unknownType, how: howImagery, icon: iconAuto},
		flags:    map[geo.Flag]string{geo.Green: argbGreen, geo.Yellow: argbYellow, geo.Red: argbRed},
	}
	for i := range classes {
		c := &classes[i]
		c.how, c.icon = howImagery, iconAuto
		p.classes[c.name] = c
		for _, name := range c.names {
			p.classes[name] = c
		}
	}
	return p
}

// TypeOf returns the CoT type of an object class, whatever its case and whether it is written with '_', '-' or ' '.
func (p *Profile) TypeOf(objectClass string) string { return p.classOf(objectClass).kind }

func (p *Profile) classOf(name string) *class {
	if c, known := p.classes[name]; known {
		return c
	}
	if len(name) <= maxClassName {
		if c, known := p.classes[className(name)]; known {
			return c
		}
	}
	return p.fallback
}

// maxClassName is the longest name of a class in bytes; what is longer is not known.
const maxClassName = 64

func className(name string) string {
	return strings.Map(underscored, strings.ToLower(strings.TrimSpace(name)))
}

func underscored(r rune) rune {
	if r == '-' || r == ' ' {
		return '_'
	}
	return r
}

// colour marks how far the position can be trusted, or what it is of; a flag that is not known is white.
func (p *Profile) colour(c *class, fix *detection.Fix) string {
	argb := p.flags[fix.Flag]
	if p.byClass {
		argb = c.argb
	}
	if argb == "" {
		return argbWhite
	}
	return argb
}

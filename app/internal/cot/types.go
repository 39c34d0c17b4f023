package cot

import "strings"

// unknownType is "ground, affiliation unknown": what an object is when its class says nothing more.
const unknownType = "a-u-G"

// TypeOf returns the CoT type of an object class, whatever its case and whether it is written with '_', '-' or ' '; classes
// that are not known are unknownType. The affiliation is always u (unknown): an AI alone never makes anything hostile.
// The codes are those of MITRE's CoT type list as ATAK ships it (takcot mitre/types.txt).
func TypeOf(class string) string {
	if len(class) > 64 {
		return unknownType
	}
	class = strings.Map(underscored, strings.ToLower(strings.TrimSpace(class)))
	switch class {
	case "vehicle", "car", "truck", "bus", "motorcycle", "van":
		return "a-u-G-E-V"
	case "armed_vehicle", "armored_vehicle", "armoured_vehicle", "tank":
		return "a-u-G-E-V-A"
	case "person", "pedestrian":
		return "a-u-G-U-C-I"
	case "aircraft", "airplane", "helicopter":
		return "a-u-A"
	case "drone", "uav":
		return "a-u-A-M-F-Q"
	case "vessel", "boat", "ship":
		return "a-u-S"
	case "fire":
		return "b-l-f"
	}
	return unknownType
}

func underscored(r rune) rune {
	if r == '-' || r == ' ' {
		return '_'
	}
	return r
}

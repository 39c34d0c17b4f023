package cot

import (
	"strconv"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// oldAfter is the time between image and acceptance from which the remarks tell it.
const oldAfter = time.Minute

// appendRemarks writes what a person should read, in the room that is left (TestTheLongestEvent), the most important first.
func (e Encoder) appendRemarks(b []byte, d *detection.Detection, s sighting, now time.Time) []byte {
	const open, end = "<remarks>", "</remarks>"
	room := MaxEventBytes - len(b) - len(open) - len(end) - len(detailEnd)
	var buffer [512]byte
	text := e.appendAge(buffer[:0], d, now)
	if d.Retracts != "" {
		text = appendReason(text, d)
	} else {
		text = appendSummary(text, d, s)
	}
	b = append(b, open...)
	b = appendText(b, string(text), room)
	return append(b, end...)
}

// appendAge says how long an event has waited for its delivery, and how old its image was when it was reported.
func (e Encoder) appendAge(text []byte, d *detection.Detection, now time.Time) []byte {
	if d.ReceivedAt.IsZero() {
		return text
	}
	if late := now.Sub(d.ReceivedAt); late >= positive(e.LateAfter, DefaultLateAfter) {
		text = append(text, "delayed "...)
		text = append(strconv.AppendInt(text, int64(late/time.Second), 10), " s; "...)
	}
	if old := d.ReceivedAt.Sub(d.SeenAt); old >= oldAfter && d.Retracts == "" {
		text = append(text, "image "...)
		text = append(strconv.AppendInt(text, int64(old/time.Second), 10), " s old when reported; "...)
	}
	return text
}

func appendSummary(text []byte, d *detection.Detection, s sighting) []byte {
	if s.count > 1 {
		text = append(strconv.AppendInt(text, int64(s.count), 10), " detections; "...)
	}
	text = appendClipped(text, orUnknown(d.ObjectClass))
	if c := d.AIConfidence; c >= 0 && c <= 1 {
		text = strconv.AppendFloat(append(text, "; AI confidence "...), c, 'f', 2, 64)
	}
	if ce := errorMetres(s.fix.CE90Metres); ce < unknownMetres {
		text = append(strconv.AppendFloat(append(text, "; CE90 "...), ce, 'f', 1, 64), " m"...)
	}
	text = append(text, " ("...)
	text = appendClipped(text, orUnknown(string(s.fix.Flag)))
	text = append(text, ')')
	if d.CameraID != "" {
		text = appendClipped(append(text, "; camera "...), d.CameraID)
	}
	if d.Source != "" {
		text = appendClipped(append(text, "; source "...), d.Source)
	}
	return text
}

func appendReason(text []byte, d *detection.Detection) []byte {
	text = append(text, "retracted"...)
	if d.Reason == "" {
		return text
	}
	text = append(text, ": "...)
	return append(text, d.Reason[:min(len(d.Reason), MaxEventBytes)]...) // appendText cuts it as it is written
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

package detection

import "time"

// Step is one of the ten steps of a detection that the audit trail can be asked about. Names and meaning are those of the
// service that this one took the place of (github.com/ets614/geolocation-engine2).
type Step string

// The steps.
const (
	StepReceived   Step = "detection_received"
	StepValidated  Step = "detection_validated"
	StepGeolocated Step = "geolocation_calculated"
	StepEncoded    Step = "cot_generated"
	StepQueued     Step = "detection_queued" // it waited on a pod: the store was away
	StepSynced     Step = "detection_synced" // the store got it later than the pod
	StepAttempted  Step = "tak_push_attempted"
	StepDelivered  Step = "tak_push_success"
	StepFailed     Step = "tak_push_failed"
	StepError      Step = "error_occurred"
)

// syncedAfter is how much later than a pod the store must have got a detection to say that it waited: longer than the pod
// waits for the store before it answers by itself, give or take the clocks of both.
const syncedAfter = 5 * time.Second

// Steps returns which of the ten steps the entry is the evidence of, in order. receivedAt is when the detection was received,
// by the pod's clock. An entry of the trail stands for several, because a detection is stored only when it was valid, located
// and encoded, all within one request.
func (e AuditEntry) Steps(receivedAt time.Time) []Step {
	switch e.Event {
	case "accepted":
		steps := []Step{StepReceived, StepValidated, StepGeolocated, StepEncoded}
		if e.At.Sub(receivedAt) > syncedAfter {
			steps = append(steps, StepQueued, StepSynced)
		}
		return steps
	case string(Delivered):
		return []Step{StepAttempted, StepDelivered}
	case string(DeadLettered):
		return []Step{StepAttempted, StepFailed, StepError}
	case "redriven":
		return []Step{StepQueued}
	default:
		return nil
	}
}

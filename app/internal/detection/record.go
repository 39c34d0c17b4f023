package detection

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// Record is a detection as it is committed.
type Record struct {
	Detection Detection `json:"detection"`
	// Deliver says that the event is owed to TAK.
	Deliver bool `json:"deliver"`
	// Owner is the pod that delivers it while its lease lasts; empty means that any live pod may claim it.
	Owner string `json:"owner,omitempty"`

	// Redriven says that an operator took it back from the dead letters. Store.Claim sets it.
	Redriven bool `json:"redriven,omitempty"`

	// RepeatOf is set by Store.Commit where it did not insert the record: the id of the detection that the store has already
	// under this record's id, or else under its idempotency key. Empty: the record was inserted.
	RepeatOf string `json:"-"`

	encoded []byte // Detection as JSON; nil: not encoded yet
}

// Encode encodes the detection once for all who keep or send it as JSON. The detection must not be changed afterwards.
func (r *Record) Encode() error {
	encoded, err := r.DetectionJSON()
	r.encoded = encoded
	return err
}

// DetectionJSON returns the detection as JSON. It must not be changed.
func (r *Record) DetectionJSON() ([]byte, error) {
	if r.encoded != nil {
		return r.encoded, nil
	}
	encoded, err := json.Marshal(&r.Detection)
	if err != nil {
		return nil, fmt.Errorf("encode detection %s: %w", r.Detection.ID, err)
	}
	return encoded, nil
}

// AppendJSON appends what json.Marshal makes of the record, without encoding the detection once more.
func (r *Record) AppendJSON(b []byte) ([]byte, error) {
	encoded, err := r.DetectionJSON()
	if err != nil {
		return b, err
	}
	b = append(b, `{"detection":`...)
	b = append(b, encoded...)
	b = append(b, `,"deliver":`...)
	b = strconv.AppendBool(b, r.Deliver)
	if r.Owner != "" {
		owner, err := json.Marshal(r.Owner)
		if err != nil {
			return b, fmt.Errorf("encode owner: %w", err)
		}
		b = append(b, `,"owner":`...)
		b = append(b, owner...)
	}
	if r.Redriven {
		b = append(b, `,"redriven":true`...)
	}
	return append(b, '}'), nil
}

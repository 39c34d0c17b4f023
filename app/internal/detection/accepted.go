package detection

// Accepted is the outcome of an accepted detection.
type Accepted struct {
	Detection  Detection
	Event      []byte // the CoT event, XML
	Durability Durability
	Warnings   []string // of the input, for the client
}

package detection

// Accepted is the outcome of an accepted detection.
type Accepted struct {
	Detection  Detection
	Event      []byte // the CoT event, XML
	Durability Durability
	Warnings   []string // of the input, for the client
	// Repeated says that it had been accepted before: Detection is the one in the record then, and nothing was added.
	Repeated bool
}

// Result is the outcome of one detection of a batch: either Err, an *Error, or the other.
type Result struct {
	Accepted
	Err error
}

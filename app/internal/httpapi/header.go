package httpapi

// The header fields that are read or written in more than one place.
const (
	headerAccept        = "Accept"
	headerAuthenticate  = "WWW-Authenticate"
	headerAuthorization = "Authorization"
	headerCacheControl  = "Cache-Control"
	headerContentType   = "Content-Type"
	headerEncoding      = "Content-Encoding"
	headerKey           = "Idempotency-Key"
	headerLocation      = "Location"
	headerRequestID     = "X-Request-Id"
	headerRetryAfter    = "Retry-After"
	headerVary          = "Vary"
)

// The media types of bodies.
const (
	mediaJSON = "application/json"
	mediaXML  = "application/xml"
	mediaCoT  = "application/cot+xml"
	mediaHTML = "text/html; charset=utf-8"
)

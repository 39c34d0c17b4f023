package detection

import "time"

// Datum says what heights are measured from.
type Datum string

// The datums a client may use.
const (
	AGL Datum = "AGL" // above the ground at the camera, or any reference that camera and ground share; the default
	MSL Datum = "MSL" // above mean sea level, the EGM96 geoid
	HAE Datum = "HAE" // above the WGS-84 ellipsoid, as CoT wants it
)

// Sensor is where the camera was, where it looked and how it maps the scene to pixels.
// Heading is clockwise from true north, pitch is positive up (-90 looks straight down), roll is about the optical axis,
// positive with the right side down. All angles are in degrees.
type Sensor struct {
	LatDeg          float64  `json:"location_lat"`
	LonDeg          float64  `json:"location_lon"`
	ElevationMetres float64  `json:"location_elevation"` // in the altitude datum
	HeadingDeg      float64  `json:"heading"`
	PitchDeg        float64  `json:"pitch"`
	RollDeg         float64  `json:"roll"`
	FocalLengthPx   float64  `json:"focal_length"` // as it was used, also when the client gave it in millimetres
	SensorWidthMM   *float64 `json:"sensor_width_mm,omitempty"`
	SensorHeightMM  *float64 `json:"sensor_height_mm,omitempty"`
	ImageWidthPx    int      `json:"image_width"`
	ImageHeightPx   int      `json:"image_height"`
	GroundMetres    float64  `json:"ground_elevation"` // height of the ground at the object, in the altitude datum

	FocalLengthMM     *float64    `json:"focal_length_mm,omitempty"`
	PrincipalPointXPx *float64    `json:"principal_point_x,omitempty"` // nil: the middle of the image
	PrincipalPointYPx *float64    `json:"principal_point_y,omitempty"`
	Distortion        *Distortion `json:"distortion,omitempty"`        // nil: none
	HeadingReference  Reference   `json:"heading_reference,omitempty"` // empty: TrueNorth
	// Sigmas are the client's own of one standard deviation each; what is nil there is the camera's, or else the default.
	Sigmas *Sigmas `json:"sigmas,omitempty"`
}

// Reference is the north that a heading is counted from.
type Reference string

// The references.
const (
	TrueNorth     Reference = "true"
	MagneticNorth Reference = "magnetic" // by the World Magnetic Model at the camera, on the day of the image
)

// Distortion is the lens model of Brown and Conrady: how far from where a pinhole camera would a lens puts a point, in the
// order and sign of OpenCV.
type Distortion struct {
	K1 float64 `json:"k1"`
	K2 float64 `json:"k2"`
	P1 float64 `json:"p1"`
	P2 float64 `json:"p2"`
	K3 float64 `json:"k3"`
}

// Sigmas are standard deviations of what a camera reports; nil means not given.
type Sigmas struct {
	HorizontalMetres *float64 `json:"horizontal_m,omitempty"` // of the camera's position, on each axis
	VerticalMetres   *float64 `json:"vertical_m,omitempty"`
	HeadingDeg       *float64 `json:"heading_deg,omitempty"`
	PitchDeg         *float64 `json:"pitch_deg,omitempty"`
	RollDeg          *float64 `json:"roll_deg,omitempty"`
	PixelPx          *float64 `json:"pixel_px,omitempty"` // of the detection in the image, on each axis
	FocalPercent     *float64 `json:"focal_percent,omitempty"`
	GroundMetres     *float64 `json:"ground_m,omitempty"`
}

// Input is what a client reports, validated.
type Input struct {
	Image        *Image
	PixelX       float64
	PixelY       float64
	ObjectClass  string
	AIConfidence float64
	Source       string
	CameraID     string
	SeenAt       time.Time
	Sensor       Sensor
	Datum        Datum
	// GroundGiven says that the client stated the height of the ground; otherwise a height model is asked where there is one.
	GroundGiven bool
	// IdempotencyKey is what IdempotencyKey made of the request's header; empty: there was none.
	IdempotencyKey string
	Warnings       []string // what was accepted but looks like a mistake
}

// wireInput is the request body. Pointers tell absent fields from zeros.
type wireInput struct {
	ImageBase64     *string     `json:"image_base64"`
	PixelX          *float64    `json:"pixel_x"`
	PixelY          *float64    `json:"pixel_y"`
	ObjectClass     *string     `json:"object_class"`
	AIConfidence    *float64    `json:"ai_confidence"`
	Source          *string     `json:"source"`
	CameraID        *string     `json:"camera_id"`
	Timestamp       *string     `json:"timestamp"`
	Sensor          *wireSensor `json:"sensor_metadata"`
	AltitudeDatum   *Datum      `json:"altitude_datum"`
	GroundElevation *float64    `json:"ground_elevation"`
}

type wireSensor struct {
	Lat            *float64 `json:"location_lat"`
	Lon            *float64 `json:"location_lon"`
	Elevation      *float64 `json:"location_elevation"`
	Heading        *float64 `json:"heading"`
	Pitch          *float64 `json:"pitch"`
	Roll           *float64 `json:"roll"`
	FocalLength    *float64 `json:"focal_length"`
	SensorWidthMM  *float64 `json:"sensor_width_mm"`
	SensorHeightMM *float64 `json:"sensor_height_mm"`
	ImageWidth     *float64 `json:"image_width"`
	ImageHeight    *float64 `json:"image_height"`

	FocalLengthMM    *float64    `json:"focal_length_mm"`
	PrincipalPointX  *float64    `json:"principal_point_x"`
	PrincipalPointY  *float64    `json:"principal_point_y"`
	Distortion       *Distortion `json:"distortion"`
	HeadingReference *Reference  `json:"heading_reference"`
	Sigmas           *Sigmas     `json:"sigmas"`
}

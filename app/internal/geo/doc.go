// Package geo finds where on the ground a pixel of a camera looks, and how far off that position may be.
//
// Everything is WGS-84. Latitudes and longitudes are geodetic degrees, heights are metres above the ellipsoid (HAE), the
// local frame at a point is east, north, up (ENU). Headings are degrees clockwise from true north. Pixels are counted from
// the upper left corner of the image, u to the right and v down, so the image centre is (width/2, height/2).
//
// The functions are pure: no I/O, no clock, no randomness that is not fixed by its seed. Those on the way of a detection
// allocate nothing.
package geo

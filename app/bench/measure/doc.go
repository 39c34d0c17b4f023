// Package measure compares two things on a machine whose speed changes from second to second: their windows take turns, and
// what counts is the ratio of neighbours.
package measure

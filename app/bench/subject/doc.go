// Package subject sets the parts of the service up to be measured, wired as the program wires them.
package subject

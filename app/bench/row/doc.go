// Package row holds the measurements: one function for each row of the table, named after the list of targets.
package row

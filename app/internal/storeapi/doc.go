// Package storeapi carries detection.Store over HTTP between the pods: Server puts a store on the network, Client is a
// detection.Store that uses one there. Bodies are JSON, paths begin with the version, and unknown fields are ignored in
// both directions, because both slots of a release share one store and are never updated at the same moment.
//
// Every call may be repeated without harm, as detection.Store promises, so a request whose answer was lost is sent again.
package storeapi

// Package reporting makes what happened on a call durable: the call detail
// record, and the journal on disk that it is appended to before the call is
// forgotten. What leaves the machine is drained from the journal by others, so
// that no call waits for a broker or a database.
package reporting

// Package reporting makes what happened on calls durable: call detail records,
// what applications log under labels, the steps of calls, and operational
// reports, in one schema, appended to journals on disk before a call is
// forgotten. What leaves the machine is drained from the journals by others, so
// that no call waits for a broker or a database.
package reporting

package reporting

import "github.com/google/uuid"

// Schema is the version of the records' JSON. It grows when a field is renamed,
// removed or changes its meaning; new optional fields leave it as it is.
const Schema = 1

// Kind is what a record tells of.
type Kind string

// The kinds of record.
const (
	KindCall       Kind = "call"       // Record: one call, at its end
	KindCustom     Kind = "custom"     // Event: what an application logs under a label
	KindTrace      Kind = "trace"      // Event: a step of a call
	KindOperations Kind = "operations" // Operations: an interval's calls, by application and tenant
)

// KindShown is the kind of what watchers are shown and no record tells of; it is no step.
const KindShown Kind = "shown"

// Head is what a record of every kind begins with.
type Head struct {
	Schema      int    `json:"schema"`
	Kind        Kind   `json:"kind"`
	ID          string `json:"id"`                    // unique for ever; one that comes twice is the same record
	Component   string `json:"component,omitempty"`   // the platform's own name
	Tenant      string `json:"tenant,omitempty"`      // gvp.rm.tenant-id of the session header, or gvp-tenant-id
	Profile     string `json:"profile,omitempty"`     // IVR profile: X-Genesys-gsw-ivr-profile-id, or X-Genesys-RM-Application-dbid
	Session     string `json:"session,omitempty"`     // X-Genesys-GVP-Session-ID: the call in the systems around
	Application string `json:"application,omitempty"` // URL of the application, without its query
}

// newID makes an identifier that sorts by time: a UUID of version 7 (RFC 9562).
func newID() string { return uuid.Must(uuid.NewV7()).String() }

package record

import "io"

// Memory is a recording's destination in memory. It is used by one goroutine.
type Memory struct{ data []byte }

// Write implements io.Writer.
func (m *Memory) Write(p []byte) (int, error) {
	m.data = append(m.data, p...)
	return len(p), nil
}

// WriteAt implements io.WriterAt for what is there already.
func (m *Memory) WriteAt(p []byte, at int64) (int, error) {
	if at < 0 || at > int64(len(m.data)) {
		return 0, io.ErrShortWrite
	}
	n := copy(m.data[at:], p)
	m.data = append(m.data, p[n:]...)
	return len(p), nil
}

// Bytes is what was written.
func (m *Memory) Bytes() []byte { return m.data }

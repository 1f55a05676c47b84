package openwire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// codec walks over the fields of a command and writes each, or reads each, so
// that their order stands in one place. The first error sticks.
type codec struct {
	reading bool
	version int32
	b       []byte // written so far, or still to be read
	err     error
}

var errShort = errors.New("frame ends within a field")

// take cuts bytes off the front of what is read.
func (c *codec) take(n int) []byte {
	if c.err == nil && (n < 0 || n > len(c.b)) {
		c.err = errShort
	}
	if c.err != nil {
		return nil
	}
	part := c.b[:n]
	c.b = c.b[n:]
	return part
}

// number walks over an unsigned integer of some bytes.
func (c *codec) number(v *uint64, size int) {
	if !c.reading {
		for shift := 8 * (size - 1); shift >= 0; shift -= 8 {
			c.b = append(c.b, byte(*v>>shift))
		}
		return
	}
	*v = 0
	for _, one := range c.take(size) {
		*v = *v<<8 | uint64(one)
	}
}

func (c *codec) byte(v *byte) {
	u := uint64(*v)
	c.number(&u, 1)
	*v = byte(u)
}

func (c *codec) bool(v *bool) {
	var u byte
	if *v {
		u = 1
	}
	c.byte(&u)
	*v = u != 0
}

func (c *codec) short(v *int16) {
	u := uint64(uint16(*v))
	c.number(&u, 2)
	*v = int16(u)
}

func (c *codec) int(v *int32) {
	u := uint64(uint32(*v))
	c.number(&u, 4)
	*v = int32(u)
}

func (c *codec) long(v *int64) {
	u := uint64(*v)
	c.number(&u, 8)
	*v = int64(u)
}

// text walks over a string with its length before it, in two bytes or four.
func (c *codec) text(v *string, size int) {
	if c.reading {
		var n uint64
		c.number(&n, size)
		*v = fromModifiedUTF8(c.take(int(min(n, math.MaxInt32))))
		return
	}
	b := appendModifiedUTF8(nil, *v)
	if size == 2 && len(b) > math.MaxUint16 {
		c.fail(fmt.Errorf("string of %d bytes is too long", len(b)))
		return
	}
	n := uint64(len(b))
	c.number(&n, size)
	c.b = append(c.b, b...)
}

// string walks over a string that may be null; null is told as "".
func (c *codec) string(v *string) {
	there := *v != ""
	if c.bool(&there); there {
		c.text(v, 2)
	}
}

// Nullable is a string that the far end tells apart from an empty one.
type Nullable struct {
	There bool
	Text  string
}

func (c *codec) nullable(v *Nullable) {
	if c.bool(&v.There); v.There {
		c.text(&v.Text, 2)
	}
}

// bytes walks over bytes that may be null.
func (c *codec) bytes(v *[]byte) {
	there := *v != nil
	if c.bool(&there); !there {
		return
	}
	n := int32(len(*v))
	c.int(&n)
	if c.reading {
		*v = append([]byte{}, c.take(int(n))...)
		return
	}
	c.b = append(c.b, *v...)
}

func (c *codec) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// object is a part of a command that has a type of its own.
type object interface {
	kind() byte
	fields(c *codec)
}

// object walks over an object that may be null.
func (c *codec) object(v *object) {
	there := *v != nil
	if c.bool(&there); !there || c.err != nil {
		return
	}
	if c.reading {
		var kind byte
		c.byte(&kind)
		if *v = newObject(kind); *v == nil {
			c.fail(fmt.Errorf("object of unknown type %d", kind))
			return
		}
	} else {
		c.b = append(c.b, (*v).kind())
	}
	(*v).fields(c)
}

// objects walks over an array of objects that may be null.
func (c *codec) objects(v *[]object) {
	there := *v != nil
	if c.bool(&there); !there {
		return
	}
	n := int16(len(*v))
	c.short(&n)
	if c.reading {
		*v = []object{}
		for range n {
			if c.err != nil {
				return
			}
			*v = append(*v, nil)
		}
	}
	for i := range *v {
		c.object(&(*v)[i])
	}
}

// throwable walks over a Java exception without its stack.
func (c *codec) throwable(v *Exception) {
	there := *v != Exception{}
	if c.bool(&there); there {
		c.string(&v.Class)
		c.string(&v.Message)
	}
}

// Exception is what the broker refuses a command with.
type Exception struct {
	Class   string // of Java, such as java.lang.SecurityException
	Message string
}

func (e *Exception) Error() string { return fmt.Sprintf("broker says %s: %s", e.Class, e.Message) }

// frame is a command as it travels, its length included.
func frame(version int32, cmd Command) ([]byte, error) {
	c := &codec{version: version, b: make([]byte, 4, 256)}
	kind := cmd.kind()
	c.byte(&kind)
	cmd.fields(c)
	if c.err != nil {
		return nil, fmt.Errorf("write command %d: %w", kind, c.err)
	}
	binary.BigEndian.PutUint32(c.b, uint32(len(c.b)-4))
	return c.b, nil
}

// parse reads a command from a frame without its length.
func parse(version int32, b []byte) (Command, error) {
	c := &codec{reading: true, version: version, b: b}
	var kind byte
	c.byte(&kind)
	cmd := newCommand(kind)
	cmd.fields(c)
	if c.err == nil && len(c.b) > 0 {
		c.err = fmt.Errorf("%d bytes too many", len(c.b))
	}
	if c.err != nil {
		return nil, fmt.Errorf("read command %d: %w", kind, c.err)
	}
	return cmd, nil
}

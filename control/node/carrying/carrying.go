// Package carrying turns the configuration's section of audio into the media plane,
// the best that the machine allows, and the engine above it.
package carrying

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mcp/control/config"
	"mcp/control/media"
	"mcp/control/media/codec"
	"mcp/control/node/securing"
	"mcp/control/sdp"
)

// Config is the section of audio.
type Config struct {
	Plane       string          `yaml:"plane" doc:"auto, xdp, xdp-generic or socket"`
	Interfaces  []string        `yaml:"interfaces" doc:"network interfaces of the XDP plane, to which loopback is added for calls to ourselves; default: all that are up"`
	Pins        string          `yaml:"pins" doc:"directory of the pinned maps and programs, on a bpf file system"`
	Address     netip.Addr      `yaml:"address" doc:"local address of callers' audio; default: where signalling arrives"`
	PortMin     uint16          `yaml:"port-min" gvp:"mpc.rtp.portrange first" doc:"first port of the RTP range"`
	PortMax     uint16          `yaml:"port-max" gvp:"mpc.rtp.portrange last" doc:"last port of the RTP range"`
	Codecs      []string        `yaml:"codecs" gvp:"mpc.codec codecs" doc:"spoken with callers, by preference: PCMU, PCMA, G722, GSM, opus, and G729 and AMR in programs built with them; what differs from the other side's is transcoded"`
	Noise       string          `yaml:"comfort-noise" doc:"comfort noise (RFC 3389) with callers: off, hear (theirs is heard wherever their audio is), or send (silent conferences are sent as noise, too)"`
	DSCP        uint8           `yaml:"dscp" doc:"of what is sent (RFC 2474); 46 is expedited forwarding, 0 best effort"`
	Timeout     time.Duration   `yaml:"timeout" doc:"how long a caller's audio may stay away before the call is ended; 0: for ever"`
	HoldTimeout time.Duration   `yaml:"hold-timeout" doc:"the same while the caller is on hold; 0: for ever"`
	SRTP        securing.Config `yaml:"srtp" doc:"protection of callers' audio"`
	Symmetric   bool            `yaml:"symmetric-rtp" doc:"learn where a caller behind NAT is from its first audio (RFC 4961)"`
	// Pacer is the command line of a process that paces prompts, player.Config says how;
	// none: a thread does. The program sets it, not its users.
	Pacer []string `yaml:"-"`
}

// Defaults is G.711 on the plane that suits the machine.
func Defaults() Config {
	return Config{
		Plane: "auto", Pins: "/sys/fs/bpf/mcp", PortMin: 20000, PortMax: 45000, Codecs: []string{"PCMU", "PCMA"}, Noise: "off", DSCP: 46,
		Timeout: time.Minute, HoldTimeout: time.Hour, SRTP: securing.Defaults(),
	}
}

// Validate implements the configuration reader's check of the section.
func (c Config) Validate() error {
	switch c.Plane {
	case "auto", "xdp", "xdp-generic", "socket":
	default:
		return fmt.Errorf("plane: %q is none of auto, xdp, xdp-generic, socket", c.Plane)
	}
	err := errors.Join(
		config.Least("port-min", c.PortMin, 1024), config.Above("port-max", c.PortMax, c.PortMin),
		config.Least("timeout", c.Timeout, 0), config.Least("hold-timeout", c.HoldTimeout, 0),
	)
	if err != nil {
		return err
	}
	if len(c.Codecs) == 0 {
		return errors.New("codecs: there is none")
	}
	for _, name := range c.Codecs {
		if _, known := spoken(name); !known {
			return fmt.Errorf("codecs: %q is none of %s", name, Names())
		}
	}
	if !slices.Contains([]string{"off", "hear", "send"}, c.Noise) {
		return fmt.Errorf("comfort-noise: %q is none of off, hear, send", c.Noise)
	}
	if c.DSCP > 63 {
		return fmt.Errorf("dscp: %d is above 63", c.DSCP)
	}
	return nil
}

// spoken is a codec of callers by its name, of which the case does not matter (RFC
// 4855 section 3).
func spoken(name string) (sdp.Codec, bool) {
	for _, c := range codec.Spoken() {
		if strings.EqualFold(c.Name, name) {
			return sdp.Codec{Name: c.Name, PayloadType: c.PayloadType, ClockRate: c.ClockRate}, true
		}
	}
	return sdp.Codec{}, false
}

// Names lists the codecs that the program has been built with.
func Names() string {
	var names []string
	for _, c := range codec.Spoken() {
		names = append(names, c.Name)
	}
	return strings.Join(names, ", ")
}

// Spoken are the codecs spoken with callers. AMR is there in both of its packings, as
// many a far end has but one.
func (c Config) Spoken() (all []sdp.Codec) {
	for _, name := range c.Codecs {
		c, known := spoken(name)
		if !known {
			continue
		}
		all = append(all, c)
		if c.Name == codec.AMR.Name {
			c.PayloadType, c.Format = c.PayloadType+1, "octet-align=1"
			all = append(all, c)
		}
	}
	return all
}

// Latch is for how long a caller's true address may be learned.
func (c Config) Latch() time.Duration {
	if c.Symmetric {
		return 5 * time.Second
	}
	return 0
}

// Carrier carries audio.
type Carrier struct {
	Engine  *media.Engine
	config  Config
	metrics prometheus.Registerer
	log     *slog.Logger
	closers []func() error // in the order in which what they close was opened
}

// Open makes the plane that the configuration asks for, and the engine above it.
func Open(cfg Config, metrics prometheus.Registerer, log *slog.Logger) (*Carrier, error) {
	c := &Carrier{config: cfg, metrics: metrics, log: log}
	if err := c.open(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *Carrier) open() error {
	plane, err := c.openPlane()
	if err != nil {
		return err
	}
	secure := c.config.SRTP.Open(plane, c.log)
	if secure != nil {
		c.opened("media plane for SRTP", secure.Close)
	}
	c.Engine, err = media.NewEngine(media.Config{
		PortMin: c.config.PortMin, PortMax: c.config.PortMax, DSCP: c.config.DSCP, Suppress: c.config.Noise == "send", Secure: secure,
	}, plane, c.log)
	if err != nil {
		return fmt.Errorf("media: %w", err)
	}
	c.opened("media engine", c.Engine.Close)
	c.metrics.MustRegister(c.Engine, planeInfo(plane))
	return nil
}

// opened remembers how to undo what was just made.
func (c *Carrier) opened(what string, end func() error) {
	c.closers = append(c.closers, func() error {
		if err := end(); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		return nil
	})
}

// Close ends what Open made, in reverse.
func (c *Carrier) Close() error {
	var errs []error
	for _, end := range slices.Backward(c.closers) {
		errs = append(errs, end())
	}
	return errors.Join(errs...)
}

// planeInfo shows which media plane runs, and why.
func planeInfo(p media.Plane) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "mcp_media_plane_info", Help: "The media plane in use, in its labels; always 1.",
		ConstLabels: prometheus.Labels{"mode": p.Mode(), "reason": p.Reason()},
	}, func() float64 { return 1 })
}

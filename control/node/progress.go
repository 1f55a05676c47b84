package node

import (
	"errors"
	"fmt"
	"time"

	"mcp/control/call/progress"
	"mcp/control/media/detect"
)

// CPA is the section of call progress analysis.
type CPA struct {
	BeforeAnswer time.Duration `yaml:"before-answer" gvp:"mpc.cpa.maxpreconntime ms" doc:"how long the network's tones are listened for before the answer; 0: until then"`
	AfterAnswer  time.Duration `yaml:"after-answer" gvp:"mpc.cpa.maxpostconntime ms" doc:"when the analysis gives up after the answer: undetermined; 0: never"`
	Beep         time.Duration `yaml:"beep" gvp:"mpc.cpa.maxbeepdettime ms" doc:"how long a machine's beep is waited for where it is; 0: not at all"`
	Silence      time.Duration `yaml:"silence" gvp:"mpc.cpa.postconnsilduration ms" doc:"after which nobody is taken to speak after the answer: silence; 0: never"`
	Fax          time.Duration `yaml:"fax" gvp:"mpc.cpa.faxdur ms" doc:"how long a fax machine's tone must last"`
	Rings        int           `yaml:"rings" gvp:"mpc.cpa.maxrings" doc:"after how many ring-back tones nobody is taken to answer; 0: any number"`
	Profile      string        `yaml:"profile" doc:"of calls that name none: normal, voice (rather a machine taken for a person) or machine"`
	Normal       CPANormal     `yaml:"normal" doc:"what tells a machine from a person"`
	Voice        CPAVoice      `yaml:"voice" doc:"the same, when a machine is rather taken for a person"`
	Machine      CPAMachine    `yaml:"machine" doc:"the same, when a person is rather taken for a machine"`
}

// CPANormal is the profile normal.
type CPANormal struct {
	Greeting  time.Duration `yaml:"greeting" gvp:"mpc.cpa.priority_normal_machinegreetingdur ms" doc:"a greeting so long is a machine's"`
	Utterance time.Duration `yaml:"utterance" gvp:"mpc.cpa.priority_normal_maxvoicesigdur ms" doc:"so is one without a pause so long; 0: no matter"`
	Pause     time.Duration `yaml:"pause" gvp:"mpc.cpa.priority_normal_voicepausedur ms" doc:"so long a pause ends a greeting"`
}

// CPAVoice is the profile voice.
type CPAVoice struct {
	Greeting  time.Duration `yaml:"greeting" gvp:"mpc.cpa.priority_voice_machinegreetingdur ms" doc:"a greeting so long is a machine's"`
	Utterance time.Duration `yaml:"utterance" gvp:"mpc.cpa.priority_voice_maxvoicesigdur ms" doc:"so is one without a pause so long; 0: no matter"`
	Pause     time.Duration `yaml:"pause" gvp:"mpc.cpa.priority_voice_voicepausedur ms" doc:"so long a pause ends a greeting"`
}

// CPAMachine is the profile machine.
type CPAMachine struct {
	Greeting  time.Duration `yaml:"greeting" gvp:"mpc.cpa.priority_machine_machinegreetingdur ms" doc:"a greeting so long is a machine's"`
	Utterance time.Duration `yaml:"utterance" gvp:"mpc.cpa.priority_machine_maxvoicesigdur ms" doc:"so is one without a pause so long; 0: no matter"`
	Pause     time.Duration `yaml:"pause" gvp:"mpc.cpa.priority_machine_voicepausedur ms" doc:"so long a pause ends a greeting"`
}

// defaultCPA is the section as the analysis has it.
func defaultCPA() CPA {
	c := progress.DefaultConfig()
	of := func(p progress.Profile) CPANormal {
		g := c.Profiles[p]
		return CPANormal{g.Machine, g.Voice, g.Pause}
	}
	return CPA{
		BeforeAnswer: c.Timing.MaxPreConnect, AfterAnswer: c.Timing.MaxPostConnect, Beep: c.Timing.MaxBeep,
		Silence: c.Timing.Silence, Fax: c.Timing.Fax, Rings: c.Timing.MaxRings, Profile: string(c.Profile),
		Normal: of(progress.Normal), Voice: CPAVoice(of(progress.Voice)), Machine: CPAMachine(of(progress.Machine)),
	}
}

// Validate checks the section.
func (c CPA) Validate() error {
	if c.BeforeAnswer < 0 || c.AfterAnswer < 0 || c.Beep < 0 || c.Silence < 0 || c.Rings < 0 {
		return errors.New("before-answer, after-answer, beep, silence and rings must not be negative")
	}
	if c.Fax <= 0 {
		return errors.New("fax must be above zero")
	}
	all := c.analysis()
	for name, g := range all.Profiles {
		if g.Machine <= 0 || g.Voice < 0 || g.Pause <= 0 {
			return fmt.Errorf("%s: greeting and pause must be above zero, utterance not negative", name)
		}
	}
	if _, known := all.Profiles[all.Profile]; !known {
		return fmt.Errorf("profile: %q is none of normal, voice and machine", c.Profile)
	}
	return nil
}

// analysis is the section as the analysis takes it.
func (c CPA) analysis() progress.Config {
	greeting := func(n CPANormal) progress.Greeting {
		return progress.Greeting{Machine: n.Greeting, Voice: n.Utterance, Pause: n.Pause}
	}
	return progress.Config{
		Timing: detect.Timing{
			MaxPreConnect: c.BeforeAnswer, MaxPostConnect: c.AfterAnswer, MaxBeep: c.Beep,
			Silence: c.Silence, Fax: c.Fax, MaxRings: c.Rings,
		},
		Profile: progress.Profile(c.Profile),
		Profiles: map[progress.Profile]progress.Greeting{
			progress.Normal: greeting(c.Normal), progress.Voice: greeting(CPANormal(c.Voice)), progress.Machine: greeting(CPANormal(c.Machine)),
		},
	}
}

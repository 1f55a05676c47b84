package doc

import (
	"errors"
	"strings"
	"testing"
)

// TestRFC5707 walks the packages of RFC 5707: each of their elements and attributes is
// taken (0), or refused with the code that section 11 has for it. A row's document is one
// operation, or one primitive of a dialog where it begins with a bar.
func TestRFC5707(t *testing.T) {
	const audio = `<audio uri="http://h/a.wav"/>`
	for _, tt := range []struct {
		section, document string
		code              int
	}{
		{"7, send", `<send event="terminate" target="conn:a/dialog:b" valuelist="v" mark="1"/>`, 0},
		{"7, send without an event", `<send target="conn:a/dialog:b"/>`, 408},
		{"7, result", `<result response="200"/>`, 404},
		{"7, event", `<event name="done" id="conn:a"/>`, 404},

		{"8.4, createconference", `<createconference name="a" deletewhen="nocontrol" term="false" mark="1"/>`, 0},
		{"8.4, createconference, nomedia", `<createconference deletewhen="nomedia"/>`, 0},
		{"8.4, createconference, never", `<createconference deletewhen="never"/>`, 0},
		{"8.4, createconference, later", `<createconference deletewhen="later"/>`, 410},
		{"8.4.1, reserve", `<createconference><reserve required="true"><resource n="2" type="shared">x</resource></reserve></createconference>`, 0},
		{"8.5, modifyconference", `<modifyconference id="conf:a" mark="1"><audiomix/></modifyconference>`, 0},
		{"8.5, modifyconference of none", `<modifyconference/>`, 408},
		{"8.6, destroyconference", `<destroyconference id="conf:a" mark="1"><audiomix id="m"/></destroyconference>`, 0},
		{"8.6, destroyconference, its video", `<destroyconference id="conf:a"><videolayout id="v" type="text/msml-basic-layout"/></destroyconference>`, 402},
		{"8.7.1, audiomix", `<createconference><audiomix id="m" samplerate="16000"><n-loudest n="3"/><asn ri="10s" asth="-40"/></audiomix></createconference>`, 0},
		{"8.7.1, audiomix of 8 kHz", `<createconference><audiomix samplerate="8000"/></createconference>`, 0},
		{"8.7.1, audiomix of 48 kHz", `<createconference><audiomix samplerate="48000"/></createconference>`, 407},
		{"8.7.1, audiomix of any rate", `<createconference><audiomix samplerate="high"/></createconference>`, 410},
		{"8.7.1.1, n-loudest of none", `<createconference><audiomix><n-loudest/></audiomix></createconference>`, 408},
		{"8.7.1.2, asn below everything", `<createconference><audiomix><asn asth="-97"/></audiomix></createconference>`, 410},
		{"8.7.2, videolayout", `<createconference><videolayout type="text/msml-basic-layout"><root size="CIF"/></videolayout></createconference>`, 402},
		{"8.7.3, selector", `<createconference><selector id="s" method="vas"/></createconference>`, 402},
		{"8.9, join", `<join id1="conn:a" id2="conf:b" mark="1"/>`, 0},
		{"8.9, join of one", `<join id1="conn:a"/>`, 408},
		{"8.9, join one way", `<join id1="conn:a" id2="conf:b"><stream media="audio" dir="from-id1" compressed="false"/></join>`, 0},
		{"8.9, join of video", `<join id1="conn:a" id2="conf:b"><stream media="video"/></join>`, 407},
		{"8.9, join of smell", `<join id1="conn:a" id2="conf:b"><stream media="smell"/></join>`, 410},
		{"8.10, modifystream", `<modifystream id1="conn:a" id2="conf:b" mark="1"><stream media="audio" preferred="true"><gain id="g" amt="-6"/></stream></modifystream>`, 0},
		{"8.11, unjoin", `<unjoin id1="conn:a" id2="conf:b" mark="1"><stream media="audio"/></unjoin>`, 0},
		{"8.11, monitor", `<monitor id1="conn:a" id2="conf:b" compressed="false" mark="1"/>`, 402},
		{"8.12.1, gain, muted", `<join id1="conn:a" id2="conf:b"><stream media="audio"><gain amt="mute"/></stream></join>`, 0},
		{"8.12.1, gain, too loud", `<join id1="conn:a" id2="conf:b"><stream media="audio"><gain amt="97"/></stream></join>`, 410},
		{"8.12.1, gain by itself", `<join id1="conn:a" id2="conf:b"><stream media="audio"><gain agc="true"/></stream></join>`, 407},
		{"8.12.1, gain not by itself", `<join id1="conn:a" id2="conf:b"><stream media="audio"><gain agc="false" amt="3"/></stream></join>`, 0},
		{"8.12.1, gain to a level", `<join id1="conn:a" id2="conf:b"><stream media="audio"><gain tgtlvl="-20" maxgain="3"/></stream></join>`, 407},
		{"8.12.1, clamp of keys", `<join id1="conn:a" id2="conf:b"><stream media="audio"><clamp dtmf="true"/></stream></join>`, 0},
		{"8.12.1, clamp of tones", `<join id1="conn:a" id2="conf:b"><stream media="audio"><clamp tones="true"/></stream></join>`, 407},
		{"8.12.2, visual", `<join id1="conn:a" id2="conf:b"><stream media="audio"><visual/></stream></join>`, 402},
		{"8.12.2, display", `<join id1="conn:a" id2="conf:b"><stream media="audio" display="r"/></join>`, 407},
		{"8.12.2, override", `<join id1="conn:a" id2="conf:b"><stream media="audio" override="true"/></join>`, 407},

		{"9.6, dialogstart", `<dialogstart target="conn:a" type="application/moml+xml" name="d" mark="1"><moml version="1.0" id="m"><play>` + audio + `</play></moml></dialogstart>`, 0},
		{"9.6, dialogstart elsewhere", `<dialogstart target="conn:a" type="application/vxml+xml" src="http://h/a.vxml"/>`, 0},
		{"9.6, dialogstart of two", `<dialogstart target="conn:a" src="http://h/a"><play>` + audio + `</play></dialogstart>`, 422},
		{"9.6, dialogstart of none", `<dialogstart target="conn:a"/>`, 403},
		{"9.6, dialogstart nowhere", `<dialogstart><play>` + audio + `</play></dialogstart>`, 408},
		{"9.6, dialogend", `<dialogend id="conn:a/dialog:d" mark="1"/>`, 0},
		{"9.6, dialogend of none", `<dialogend/>`, 408},
		{"9.6, send", `|<send event="a" target="source" namelist="play.end"/>`, 0},
		{"9.6, exit", `|<exit namelist="play.end"/>`, 0},
		{"9.6, disconnect", `|<disconnect namelist="play.end"/>`, 0},

		{"9.7.1, play", `|<play id="p" interval="1s" iterate="forever" initial="suspend" maxtime="10s" barge="true" cleardb="false" offset="1s" skip="2s" xml:lang="en">` + audio + `<playexit><exit/></playexit></play>`, 0},
		{"9.7.1, play of nothing", `|<play/>`, 403},
		{"9.7.1, play, initially off", `|<play initial="off">` + audio + `</play>`, 410},
		{"9.7.1.1, audio", `|<play><audio uri="a" format="audio/wav;codecs=mulaw" audiosamplerate="8" audiosamplesize="8" iterate="2" xml:lang="en"/></play>`, 0},
		{"9.7.1.1, audio of nothing", `|<play><audio/></play>`, 408},
		{"9.7.1.2, video", `|<play><video uri="a"/></play>`, 402},
		{"9.7.1.3, media", `|<play><media>` + audio + `</media></play>`, 0},
		{"9.7.1.3, media with video", `|<play><media>` + audio + `<video uri="a"/></media></play>`, 402},
		{"9.7.1.4, var, silence", `|<play><var type="silence" value="2s"/></play>`, 0},
		{"9.7.1.4, var, date", `|<play><var type="date" subtype="mdy" value="20100131" xml:lang="en"/></play>`, 407},
		{"9.7.1.4, var, colour", `|<play><var type="colour" value="red"/></play>`, 410},
		{"9.7.2, dtmfgen", `|<dtmfgen id="g" digits="12*#ABCD" level="-6" dur="100ms" interval="100ms"><dtmfgenexit><exit/></dtmfgenexit></dtmfgen>`, 0},
		{"9.7.2, dtmfgen of letters", `|<dtmfgen digits="hello"/>`, 410},
		{"9.7.3, tonegen", `|<tonegen id="t" iterate="2"><tone duration="1s" iterate="2"><tone1 freq="350Hz" atten="13"/><tone2 freq="440" atten="13"/><silence duration="1s"/></tone><silence duration="1s"/><tonegenexit><exit/></tonegenexit></tonegen>`, 0},
		{"9.7.3, tonegen of nothing", `|<tonegen/>`, 403},
		{"9.7.3.1, tone without end", `|<tonegen><tone><tone1 freq="350" atten="13"/></tone></tonegen>`, 408},
		{"9.7.3.1, tone too high", `|<tonegen><tone duration="1s"><tone1 freq="4000" atten="13"/></tone></tonegen>`, 410},
		{"9.7.4, record", `|<record id="r" dest="file:///a.wav" audiodest="file:///a.wav" format="audio/wav;codecs=alaw" audiosamplerate="8" audiosamplesize="8" initial="create" maxtime="10s" prespeech="2s" postspeech="2s" termkey="#" append="false"><play>` + audio + `</play><recordexit><exit/></recordexit></record>`, 0},
		{"9.7.4, record in no format", `|<record maxtime="10s"/>`, 408},
		{"9.7.4, record in an unknown format", `|<record maxtime="10s" format="audio/cassette"/>`, 410},
		{"9.7.4, record without end", `|<record format="audio/wav"/>`, 408},
		{"9.7.4, record more", `|<record format="audio/wav" maxtime="10s" append="true"/>`, 407},
		{"9.7.4, record video", `|<record format="audio/wav" maxtime="10s" videodest="file:///a"/>`, 407},
		{"9.7.4, record of 16 kHz", `|<record format="audio/wav" maxtime="10s" audiosamplerate="16000"/>`, 407},
		{"9.7.4, record with a frame rate", `|<record format="audio/wav" maxtime="10s" framerate="25"/>`, 407},
		{"9.7.5, dtmf", `|<dtmf id="d" cleardb="true" fdt="5s" idt="4s" edt="4s" starttimer="true" iterate="2"><pattern digits="x" format="moml+digits" iterate="2"><exit/></pattern><detect><exit/></detect><noinput iterate="2"><exit/></noinput><nomatch iterate="2"><exit/></nomatch><dtmfexit><exit/></dtmfexit></dtmf>`, 0},
		{"9.7.5, collect", `|<collect><play>` + audio + `</play><pattern digits="x" format="mgcp"/></collect>`, 0},
		{"9.7.5, collect of nothing", `|<collect/>`, 403},
		{"9.7.5, collect of long keys", `|<collect ldd="2s"><pattern digits="x"/></collect>`, 407},
		{"9.7.5.1, pattern in no format", `|<collect><pattern digits="x" format="regex"/></collect>`, 410},

		{"9.8, group", `|<group id="g" topology="parallel"><play>` + audio + `</play><collect><pattern digits="x"/></collect><groupexit><exit/></groupexit></group>`, 0},
		{"9.8, group, serial", `|<group topology="serial"><relay id="r"/></group>`, 0},
		{"9.8, group, fullduplex", `|<group topology="fullduplex"><relay/></group>`, 0},
		{"9.8, group in no order", `|<group><play>` + audio + `</play></group>`, 408},
		{"9.8, group, a ring", `|<group topology="ring"><play>` + audio + `</play></group>`, 410},

		{"9.9.1, vad", `|<vad id="v" starttimer="true"><voice len="1s"><exit/></voice><silence len="1s"/><tvoice len="1s"/><tsilence len="1s"/><vadexit><exit/></vadexit></vad>`, 0},
		{"9.9.1, vad, again and again", `|<vad><voice len="1s" iterate="2"/></vad>`, 407},
		{"9.9.1, vad, more or less", `|<vad><silence len="1s" sen="1s"/></vad>`, 407},
		{"9.9.2, gain", `|<group topology="fullduplex"><gain id="g" incr="3" amt="3"/></group>`, 402},
		{"9.9.3, agc", `|<group topology="fullduplex"><agc tgtlvl="-20"/></group>`, 402},
		{"9.9.4, gate", `|<group topology="fullduplex"><gate initial="halt"/></group>`, 402},
		{"9.9.5, clamp", `|<group topology="fullduplex"><clamp/></group>`, 402},

		{"9.10.1, speech", `|<speech id="s" noint="5s" norect="5s" spcmplt="1s" confidence="50" sens="50" starttimer="true" iterate="2"><grammar uri="g" iterate="2"><match><exit/></match></grammar><noinput iterate="2"><exit/></noinput><nomatch iterate="2"><exit/></nomatch><speechexit><exit/></speechexit></speech>`, 0},
		{"9.10.1, speech of nothing", `|<speech/>`, 403},
		{"9.10.1, speech, quite sure", `|<speech confidence="101"><grammar uri="g"/></speech>`, 410},
		{"9.10.2, tts", `|<play><tts uri="t" iterate="2" xml:lang="en"/></play>`, 0},
		{"9.10.2, tts of nothing", `|<play><tts/></play>`, 403},

		{"9.11.1, faxdetect", `|<faxdetect id="f"><faxdetectexit><exit/></faxdetectexit></faxdetect>`, 0},
		{"9.12.1, faxsend", `|<faxsend id="f" lclid="1" minspeed="2400" maxspeed="14400" ecm="true"><sendobj objuri="http://h/a.tif" startpage="1"/><hdrfooter type="header"><format style="c">x</format></hdrfooter></faxsend>`, 402},
		{"9.12.1, faxsend that polls", `|<faxsend><rxpoll rmtid="1"><rcvobj objuri="http://h/a.tif"/></rxpoll></faxsend>`, 402},
		{"9.12.2, faxrcv", `|<faxrcv lclid="1" ecm="true"><rcvobj objuri="http://h/a.tif" maxpages="9"/></faxrcv>`, 402},
		{"9.12.2, faxrcv as the schema has it", `|<faxrecv><txpoll><sendobj objuri="a"/></txpoll></faxrecv>`, 402},

		{"10, audit", `<audit queryid="conf:*" statelist="audit.conf.*" mark="1"/>`, 402},
		{"10, auditresult", `<auditresult targetid="conf:a"/>`, 402},

		{"11, an unknown element", `|<dance/>`, 401},
		{"11, an element out of place", `<play>` + audio + `</play>`, 404},
		{"11, an unknown attribute", `|<play loudly="true">` + audio + `</play>`, 406},
		{"11, another's attribute", `|<play xmlns:x="urn:x" x:loudly="true">` + audio + `</play>`, 0},
	} {
		t.Run(tt.section, func(t *testing.T) {
			body := tt.document
			if primitive, in := strings.CutPrefix(body, "|"); in {
				body = `<dialogstart target="conn:a">` + primitive + `</dialogstart>`
			}
			_, err := Parse([]byte(`<msml version="1.1">` + body + `</msml>`))
			var fault *Fault
			if errors.As(err, &fault); err == nil && tt.code != 0 || err != nil && (fault == nil || fault.Code != tt.code) {
				t.Errorf("%v, wanted %d", err, tt.code)
			}
		})
	}
	for _, body := range []string{"", "<msml", "<moml/>", `<msml/>`} {
		if _, err := Parse([]byte(body)); err == nil {
			t.Errorf("%q is taken", body)
		}
	}
}

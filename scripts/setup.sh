#!/bin/sh
# Installs with apt-get what the demonstration and the tests need, and says what
# it installs. What is there already is left alone, so it can be run any number
# of times. Usage: setup.sh [demo] [test] [bench] [reporting]; without arguments the first two.
set -eu

# name of a program or file that shows the package to be there, and the package
demo="ethtool=ethtool ip=iproute2 nsenter=util-linux bpftool=bpftool
flite=flite espeak-ng=espeak-ng pocketsphinx_continuous=pocketsphinx
/usr/share/pocketsphinx/model/en-us/en-us/mdef=pocketsphinx-en-us"
test="clang-14=clang-14 llvm-strip-14=llvm-14 sipp=sip-tester baresip=baresip-core kamailio=kamailio rtpengine=rtpengine-daemon sox=sox mpg123=mpg123 lame=lame opusdec=opus-tools openssl=openssl tshark=tshark tcpdump=tcpdump gcc=gcc /usr/include/bcg729/decoder.h=libbcg729-dev /usr/include/opencore-amrnb/interf_dec.h=libopencore-amrnb-dev git=git xmllint=libxml2-utils promtool=prometheus pg_lsclusters=postgresql
snmpd=snmpd snmpwalk=snmp snmptrapd=snmptrapd smilint=smitools prometheus-snmp-exporter=prometheus-snmp-exporter chromium-headless-shell=chromium-headless-shell"
reporting="java=default-jre-headless /usr/share/activemq/bin/activemq.jar=activemq nft=nftables
/usr/lib/rabbitmq/bin/rabbitmq-server=rabbitmq-server"
bench="ethtool=ethtool ip=iproute2 rtpengine=rtpengine-daemon sipp=sip-tester janus=janus"

wanted=""
[ $# -gt 0 ] || set -- demo test
for group in "$@"; do
	case $group in
	demo) wanted="$wanted $demo" ;;
	test) wanted="$wanted $demo $test $reporting" ;;
	bench) wanted="$wanted $bench" ;;
	reporting) wanted="$wanted $reporting" ;;
	*) echo "setup: unknown group $group; known are demo, test, bench and reporting" >&2; exit 2 ;;
	esac
done

# there NAME: tells whether a program or a file is there.
there() {
	case $1 in
	/*) [ -e "$1" ] ;;
	*) command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] ;;
	esac
}

missing=""
for pair in $wanted; do
	name=${pair%%=*} package=${pair#*=}
	there "$name" && continue
	case " $missing " in *" $package "*) ;; *) missing="$missing $package" ;; esac
done

if [ -z "$missing" ]; then
	echo "setup: everything needed is installed"
	exit 0
fi
if [ "$(id -u)" -ne 0 ]; then
	echo "setup: root is needed to install:$missing" >&2
	exit 1
fi
if ! command -v apt-get >/dev/null 2>&1; then
	echo "setup: this is neither Debian nor Ubuntu; install these, or what they are called here:$missing" >&2
	exit 1
fi
echo "setup: installing:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# Ubuntu has bpftool in its kernel's tools.
case " $missing " in
*" bpftool "*)
	if ! apt-cache show bpftool 2>/dev/null | grep -q '^Filename:'; then
		missing=$(echo "$missing" | sed 's/ bpftool/ linux-tools-common linux-tools-generic/')
	fi
	;;
esac
# The compiler that the committed kernel objects are made with; newer releases
# have later ones only, and the check of the objects says so.
case " $missing " in
*" clang-14 "*)
	if ! apt-cache show clang-14 2>/dev/null | grep -q '^Filename:'; then
		echo "setup: this release has no clang-14: the kernel objects will not be checked against their sources"
		missing=$(echo "$missing" | sed 's/ clang-14//; s/ llvm-14//')
	fi
	;;
esac
# The browser that the console's pages are tested in; other systems have others.
case " $missing " in
*" chromium-headless-shell "*)
	if ! apt-cache show chromium-headless-shell 2>/dev/null | grep -q '^Filename:'; then
		echo "setup: this release has no chromium-headless-shell: the console is tested in a browser only if there is one"
		missing=$(echo "$missing" | sed 's/ chromium-headless-shell//')
	fi
	;;
esac
# shellcheck disable=SC2086 # a list of words
apt-get install -y -qq --no-install-recommends $missing >/dev/null
echo "setup: done"

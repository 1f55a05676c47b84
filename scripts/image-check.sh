#!/usr/bin/env bash
# Builds both images of deploy/Dockerfile with buildah, runs them with runc as the chart
# does (read-only root, user 500, the chart's capabilities, the runtimes' default seccomp
# profile) in a network namespace, and places a call to each. Needs root and Debian. Where
# no registry of images can be reached, Debian's bootstrap and this machine's Go stand in
# for the image that the Dockerfile builds in.
set -euo pipefail
cd "$(dirname "$0")/.."
go=${GO:-go}
base=docker.io/library/golang:1.26-bookworm
profile=/usr/share/containers/seccomp.json

missing=""
for pair in buildah=buildah runc=runc debootstrap=debootstrap jq=jq ip=iproute2 getcap=libcap2-bin $profile=golang-github-containers-common; do
	name=${pair%%=*}
	command -v "$name" >/dev/null || [ -e "$name" ] || missing="$missing ${pair#*=}"
done
if [ -n "$missing" ]; then
	echo "image-check: installing:$missing"
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

work=$(mktemp -d) net=image-check-$$ running=""
buildah() { command buildah --root "$work/storage" --runroot "$work/run" --storage-driver overlay "$@"; }
cleanup() {
	[ -z "$running" ] || { runc kill "$running" KILL && runc delete -f "$running"; } >/dev/null 2>&1 || true
	ip netns del "$net" 2>/dev/null || true
	ip netns del "$net-sbc" 2>/dev/null || true
	command buildah --root "$work/storage" --runroot "$work/run" --storage-driver overlay umount -a >/dev/null 2>&1 || true
	mountpoint -q "$work/bpf" && umount "$work/bpf"
	grep " $work/" /proc/mounts | cut -d' ' -f2 | sort -r | xargs -r -n1 umount 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT

# stand_in makes the image to build in of what is at hand.
stand_in() {
	echo "image-check: no registry of images: Debian's bootstrap stands in for $base"
	local mirror c m
	mirror=$(awk '/^URIs:/{print $2; exit}' /etc/apt/sources.list.d/debian.sources)
	debootstrap --variant=minbase --include=ca-certificates bookworm "$work/debian" "$mirror" >"$work/debootstrap.log" || { tail "$work/debootstrap.log"; exit 1; }
	cp -a "$($go env GOROOT)/." "$work/debian/usr/local/go"
	cp /etc/ssl/certs/ca-certificates.crt "$work/debian/etc/ssl/certs/"
	cp /etc/apt/sources.list.d/debian.sources "$work/debian/etc/apt/sources.list.d/"
	rm -f "$work/debian/etc/apt/sources.list"
	c=$(buildah from scratch) m=$(buildah mount "$c")
	cp -a "$work/debian/." "$m/"
	buildah config --env PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$c"
	buildah umount "$c" >/dev/null
	buildah commit -q --rm "$c" "$base" >/dev/null
	rm -rf "$work/debian"
}

build() { # TARGET
	echo "image-check: building $1"
	buildah bud -q --isolation chroot --pull-never --target "$1" -f deploy/Dockerfile --ignorefile deploy/Dockerfile.dockerignore \
		--env GOPROXY="$($go env GOPROXY)" --volume "$($go env GOMODCACHE):/root/go/pkg/mod:rw" --volume "$($go env GOCACHE):/root/.cache/go-build:rw" \
		-t "mcp:$1" . >"$work/$1.log" 2>&1 || { tail -20 "$work/$1.log"; exit 1; }
	buildah images --format '{{.Name}}:{{.Tag}} {{.Size}}' | grep ":$1 "
}

# allowed is the runtimes' default profile as runc reads it, for a process with the
# capabilities given, a JSON list. Debian's copy is older than CAP_BPF, to which today's
# allow bpf().
allowed() {
	jq --argjson caps "$1" 'def held(c): (c // []) | all(. as $c | $caps | index($c));
		{defaultAction, architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_AARCH64"],
		syscalls: [(.syscalls + [{names: ["bpf"], action: "SCMP_ACT_ALLOW", includes: {caps: ["CAP_BPF"]}}])[]
			| select(held(.includes.caps) and ((.excludes.caps // []) | all(. as $c | $caps | index($c) | not)))
			| select((.includes.arches // ["amd64"]) | index("amd64"))
			| {names, action, args: (.args // [])} + (if .errnoRet then {errnoRet} else {} end)]}' $profile
}

# spec writes what runc runs: USER KIND CAPS SECCOMP ARG…
spec() {
	local user=$1 kind=$2 caps=$3 seccomp=$4 c
	shift 4
	c=$(buildah from --pull-never "localhost/mcp:$kind")
	rm -f "$work/config.json"
	(cd "$work" && runc spec)
	jq --argjson caps "$caps" --argjson user "$user" --argjson seccomp "$seccomp" --arg root "$(buildah mount "$c")" --arg net "/run/netns/$net" --arg bpf "$work/bpf" --arg kind "$kind" \
		--argjson args "$(printf '%s\n' "$@" | jq -R . | jq -s .)" \
		'.process |= (.terminal = false | .args = $args | .user = {uid: $user, gid: $user} | .rlimits = []
			| .env = ["STATE_DIRECTORY=/var/lib/mcp", "XDG_RUNTIME_DIR=/var/lib/mcp/run", "MCP_MEDIA_PLANE=\($kind)", "MCP_MEDIA_PINS=/run/mcp/bpf/plane"]
			| .noNewPrivileges = ($caps == [] or $user == 0)
			| .capabilities = {bounding: $caps} + (if $user == 0 then {effective: $caps, permitted: $caps} else {} end))
		| .root = {path: $root, readonly: true}
		| .linux.namespaces |= [.[] | select(.type != "network" and .type != "cgroup")] + [{type: "network", path: $net}]
		| .linux.resources = {} | .linux.seccomp = $seccomp
		| .mounts |= [.[] | select(.type != "cgroup")] + [{destination: "/var/lib/mcp", type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", "uid=500", "gid=500", "mode=0700"]}]
			+ (if $kind == "xdp" then [{destination: "/run/mcp/bpf", type: "bind", source: $bpf, options: ["bind", "rw"]}] else [] end)' \
		"$work/config.json" >"$work/config.new"
	mv "$work/config.new" "$work/config.json"
}

# serve runs the image's platform, and has it called.
serve() { # KIND CAPS
	running=image-check-$1-$$
	spec 500 "$1" "$2" "$(allowed "$2")" /usr/local/bin/mcp serve
	runc run --bundle "$work" "$running" >"$work/$1.log" 2>&1 &
	for _ in $(seq 150); do grep -q 'msg=ready' "$work/$1.log" && break; sleep 0.1; done
	grep -q 'msg=ready' "$work/$1.log" || { cat "$work/$1.log"; echo "image-check: $1 does not start"; exit 1; }
	grep -o 'msg="media plane".*' "$work/$1.log"
	ip netns exec "$net-sbc" build/mcplab call --to 'sip:demo@10.98.0.1:5070' --script 'listen; hangup' >"$work/call.json" || { cat "$work/$1.log"; exit 1; }
	jq -c '{rtp_received: .rtp_received | {packets, lost}, faults}' "$work/call.json"
	if grep 'level=\(WARN\|ERROR\)' "$work/$1.log"; then echo "image-check: $1 complains"; exit 1; fi
	runc kill "$running" TERM
	wait %1 || { cat "$work/$1.log"; echo "image-check: $1 does not end well"; exit 1; }
	running=""
}

buildah pull -q "$base" >/dev/null 2>&1 || stand_in
build socket
build xdp
make --no-print-directory build
ip netns add "$net"
ip netns add "$net-sbc"
ip -n "$net" link set lo up
ip link add name mcp0 netns "$net" type veth peer name sbc0 netns "$net-sbc"
ip -n "$net" addr add 10.98.0.1/24 dev mcp0
ip -n "$net-sbc" addr add 10.98.0.2/24 dev sbc0
ip -n "$net" link set mcp0 up
ip -n "$net-sbc" link set sbc0 up
ip netns exec "$net" sysctl -q net.ipv4.conf.lo.forwarding=1 net.ipv6.conf.lo.forwarding=1 # as nodes have it

echo "image-check: mcp:socket, without a capability"
serve socket '[]'

echo "image-check: mcp:xdp, the init step and then the platform"
mkdir "$work/bpf"
mount -t bpf bpf "$work/bpf"
chmod 755 "$work/bpf"
spec 0 xdp '["CAP_BPF","CAP_NET_ADMIN","CAP_NET_RAW","CAP_PERFMON","CAP_CHOWN"]' null \
	/usr/local/bin/mcp plane load --pins=/run/mcp/bpf/plane --owner=500:500 --mode=generic --take-over
runc run --bundle "$work" "image-check-plane-$$"
serve xdp '["CAP_BPF","CAP_NET_ADMIN","CAP_NET_RAW","CAP_PERFMON"]'

echo "image-check: mcp:xdp as the uploader has it, without a capability"
spec 500 xdp '[]' "$(allowed '[]')" /usr/local/bin/mcp --version
runc run --bundle "$work" "image-check-version-$$"
echo "image-check: both images run"

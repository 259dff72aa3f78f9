#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# build.sh <folder>
#
# Puts etcd, etcdctl, plugins for networks of containers, kube-apiserver, kube-controller-manager
# and kubelet into <folder>/bin, the latter three from Debian 12's source package of Kubernetes, which is the last that holds all of
# it. The compiler and whatever else is needed comes from Debian 12 too, into the folder: nothing
# is installed, and the system's own package lists are neither used nor changed. Takes some ten
# minutes with two cores, and 4 GB of disk.
set -eu

suite=bookworm
folder=$(realpath -m "$1")
apt=$folder/apt
tree=$folder/tree
go=$folder/go
# The source wants to lie there, as it is from before Go had modules throughout.
source=$folder/gopath/src/k8s.io/kubernetes
mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$folder/bin/cni" "$(dirname "$source")"
: >"$apt/status"

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
for mirror in $(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Identifier: Packages' |
  awk '/debian/ && $2 !~ /-/ { print $1 }' | sort -u); do
  echo "deb [signed-by=$keyring] $mirror $suite main"
  echo "deb-src [signed-by=$keyring] $mirror $suite main"
done >"$apt/sources.list"
options=(-q -o "APT::Sandbox::User=root" -o "Acquire::Languages=none" -o "Acquire::Retries=2"
  -o "Dir::Etc::sourcelist=$apt/sources.list" -o "Dir::Etc::sourceparts=/dev/null"
  -o "Dir::State=$apt" -o "Dir::State::status=$apt/status" -o "Dir::Cache=$apt")

cd "$apt/archives"
apt-get "${options[@]}" update
apt-get "${options[@]}" download golang-1.19-go golang-1.19-src etcd-server etcd-client \
  golang-github-modern-go-reflect2-dev containernetworking-plugins
apt-get "${options[@]}" source --download-only kubernetes
rm -rf "$tree" "$go" "$source"
for archive in ./*.deb; do
  dpkg-deb -x "$archive" "$tree"
done
cp "$tree/usr/bin/etcd" "$tree/usr/bin/etcdctl" "$folder/bin"
cp "$tree"/usr/lib/cni/{ptp,loopback,host-local} "$folder/bin/cni"
dpkg-source --no-check -x kubernetes_*.dsc "$source"

# Debian's Go is spread over two folders, with links from one to where the other should be.
cp -R "$tree/usr/share/go-1.19" "$go"
cp -R "$tree/usr/lib/go-1.19/bin" "$tree/usr/lib/go-1.19/VERSION" "$go"
find "$tree/usr/lib/go-1.19/pkg" -mindepth 1 -maxdepth 1 -type d -exec cp -R {} "$go/pkg" \;
export GOROOT=$go PATH=$go/bin:$PATH GOPATH=$folder/gopath GOCACHE=$folder/cache
export GO111MODULE=off GOPROXY=off CGO_ENABLED=0 GOMAXPROCS=2

cd "$source"
# The version of this that is there stops programs of Go 1.18 and later.
rm vendor/github.com/modern-go/reflect2/*.go vendor/github.com/modern-go/reflect2/*.s
cp "$tree"/usr/share/gocode/src/github.com/modern-go/reflect2/*.{go,s} \
  vendor/github.com/modern-go/reflect2
# What only the build makes: the schema of all objects.
go build -o "$folder/openapi-gen" ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
packages=$(grep -rl --include='*.go' '+k8s:openapi-gen=' pkg staging/src/k8s.io/{api,apimachinery,apiserver,apiextensions-apiserver,client-go,cloud-provider,component-base,kube-aggregator,kube-controller-manager,kube-proxy,kube-scheduler,kubelet,metrics} |
  xargs -n1 dirname | LC_ALL=C sort -u |
  sed 's#^staging/src/#k8s.io/kubernetes/vendor/#; s#^pkg#k8s.io/kubernetes/pkg#' | paste -sd,)
"$folder/openapi-gen" --go-header-file vendor/k8s.io/code-generator/hack/boilerplate.go.txt \
  --output-file-base zz_generated.openapi --report-filename "$folder/violations" \
  --output-package k8s.io/kubernetes/pkg/generated/openapi --input-dirs "$packages" \
  --output-base "$folder/gopath/src"

flags="-s -w"
for package in component-base/version client-go/pkg/version; do
  name=k8s.io/kubernetes/vendor/k8s.io/$package
  flags+=" -X $name.gitVersion=v1.20.2 -X $name.gitMajor=1 -X $name.gitMinor=20"
done
for program in kube-apiserver kube-controller-manager kubelet; do
  go build -ldflags "$flags" -o "$folder/bin/$program" "./cmd/$program"
done

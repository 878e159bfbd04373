# Allod in four words: `make up`, `make down`, `make test`, `make help`.
#
# ALLOD_DATA says where the region keeps everything (default /var/lib/allod).

.POSIX:
.PHONY: help up down test image

help:
	@echo 'make up     install what is missing, build, start the region, deploy stacks/web-tier.yaml'
	@echo 'make down   stop the region and everything that it runs; records and disks are kept'
	@echo 'make test   every check and test, as CI runs them'
	@echo 'make image  build the layer of the reference application under target/image/web-tier'

up:
	@sh tools/up.sh

down:
	@sh tools/down.sh

test:
	@sh tools/test.sh

image:
	@sh tools/cargo.sh build --release --package web-tier
	@sh app/image/build.sh target/release/web-tier target/image/web-tier

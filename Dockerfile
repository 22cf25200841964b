# The final stage holds the binary, the certificates of public authorities and
# an empty /data, nothing else: no shell, no package manager, no second user.
# test/container builds that stage from this file, with the first one replaced
# by a folder, and runs it.

ARG GO_IMAGE=golang:1.26-bookworm

FROM ${GO_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/root/deltahook ./cmd/deltahook \
 && mkdir -p /out/root/etc/ssl/certs /out/data \
 && cp /etc/ssl/certs/ca-certificates.crt /out/root/etc/ssl/certs/

FROM scratch
ARG VERSION=dev
LABEL org.opencontainers.image.title="Deltahook" \
      org.opencontainers.image.description="Polls APIs, compares, and sends signed webhooks when something changed" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build /out/root/ /
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
WORKDIR /data
VOLUME /data
ENTRYPOINT ["/deltahook"]
CMD ["run", "--config", "/etc/deltahook"]
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
    CMD ["/deltahook", "healthcheck", "--config", "/etc/deltahook"]

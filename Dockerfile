# docker build --target cpu -t vesalius .          runs anywhere
# docker build --target cuda -t vesalius:cuda .    needs the NVIDIA container toolkit to run
#
# docker run --rm -v "$PWD:/work" vesalius fit guided my-scans --out runs/brain
FROM python:3.11-slim AS build
WORKDIR /build
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.11-slim AS cpu
COPY constraints.txt /tmp/constraints.txt
COPY --from=build /wheels /wheels
# --build-arg TORCH_INDEX=... names an index of PyTorch's builds for the CPU, which are smaller.
ARG TORCH_INDEX=""
RUN pip install --no-cache-dir ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch==2.13.0 \
 && pip install --no-cache-dir --constraint /tmp/constraints.txt /wheels/*.whl
WORKDIR /work
ENTRYPOINT ["vesalius"]

FROM python:3.11-slim AS cuda
COPY constraints.txt /tmp/constraints.txt
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir torch==2.13.0 \
 && pip install --no-cache-dir --constraint /tmp/constraints.txt /wheels/*.whl
WORKDIR /work
ENTRYPOINT ["vesalius"]

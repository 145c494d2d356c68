# Tracking on the CPU, without a display. Not yet built by Docker; tests/packaging/test_dockerfile.py runs its steps.
#   docker build -t startrack .
#   docker run --rm -v "$PWD:/data" startrack track video.mp4 --jsonl faces.jsonl
#   docker run --rm -v "$PWD:/data" -p 8088:8088 startrack track video.mp4 --show web --web-host 0.0.0.0
FROM python:3.11-slim-bookworm
COPY . /src
RUN python -m venv /opt/startrack
RUN /opt/startrack/bin/pip install --no-cache-dir -c /src/constraints.txt "/src/startrack-core[opencv-python-headless,onnxruntime,pandas,avatar]"
RUN rm -rf /src
RUN useradd --create-home --uid 1000 startrack
USER startrack
ENV PATH=/opt/startrack/bin:$PATH
WORKDIR /data
ENTRYPOINT ["startrack"]
CMD ["--help"]

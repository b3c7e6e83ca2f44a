{{- define "triton-asr.tritonPorts" -}}
- name: http
  port: 8000
  targetPort: http
- name: grpc
  port: 8001
  targetPort: grpc
- name: metrics
  port: 8002
  targetPort: metrics
{{- end -}}

{{/* What puts models into /models before Triton starts; nothing where a volume has them. */}}
{{- define "triton-asr.modelContainers" -}}
{{- $models := .Values.models -}}
{{- if eq $models.source "install" -}}
initContainers:
  - name: models
    image: {{ include "triton-asr.image" . }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    command: [sh, -eu, -c]
    # What is installed already, by this version, is not installed again.
    args:
      - |
        cd "$TRITON_ASR_HOME"
        mkdir -p .installed
        {{- range $models.install }}
        {{- $words := list .kind }}
        {{- with .from }}{{ $words = concat $words (list "--from" .) }}{{ end }}
        {{- $words = concat $words (.options | default list) }}
        {{- $order := cat (include "triton-asr.image" $) (toJson $words) | sha256sum }}
        if [ "$(cat .installed/{{ .kind }} 2>/dev/null)" != {{ $order }} ]; then
            triton-asr-server install {{ range $words }}{{ . | squote }} {{ end }}
            echo {{ $order }} > .installed/{{ .kind }}
        fi
        {{- end }}
    env:
      - name: HOME
        value: /tmp
      - name: TRITON_ASR_HOME
        value: /models
      - name: MODELSCOPE_CACHE
        value: /models/.hubs/modelscope
      - name: HF_HOME
        value: /models/.hubs/huggingface
      {{- with $models.env }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    resources:
      {{- toYaml .Values.triton.resources | nindent 6 }}
    securityContext:
      {{- include "triton-asr.containerSecurity" . | nindent 6 }}
    volumeMounts:
      - name: models
        mountPath: /models
      - name: tmp
        mountPath: /tmp
{{- else if eq $models.source "image" -}}
initContainers:
  - name: models
    image: {{ required "models.image.repository: expected an image" $models.image.repository }}:{{ $models.image.tag }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    command: [cp, -R, {{ printf "%s/." $models.image.path | quote }}, /to]
    resources:
      {{- toYaml .Values.triton.resources | nindent 6 }}
    securityContext:
      {{- include "triton-asr.containerSecurity" . | nindent 6 }}
    volumeMounts:
      # beside, not over, the image's own /models
      - name: models
        mountPath: /to
{{- end -}}
{{- end -}}

"""SpeechRecognition: its OpenAI-compatible recogniser."""

import os
import sys

import speech_recognition

url, file = sys.argv[1:]
os.environ |= {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": f"{url}/v1"}
with speech_recognition.AudioFile(file) as source:
    recogniser = speech_recognition.Recognizer()
    print(recogniser.recognize_openai(recogniser.record(source)))

"""What the served Python models compute: NumPy in, NumPy out.

    features      waveforms to what encoders take
    text          tokens to words to text, and when each word was said
    sensevoice    recordings to tags, text and words
    paraformer    recordings, perhaps with hotwords, to words
    streaming     audio that arrives in pieces to text that grows
    language_models  texts to what is likely to be said
    vad           audio that arrives in pieces to segments of speech
    punctuation   texts to texts with marks
    sequences     requests that belong together, and what is kept between them
    config        a model's own settings

Each room's own docstring says how data flows through it, and exports what others use. Nothing here
imports Triton or a runtime: graphs are injected as functions, called by the names of their inputs,
so every part can be tested and reused without a server. In a room, `requests.py` holds its services
(`VadService` …): they answer the requests of one Triton model, keep what it remembers, and give
each request an answer or the exception that says what is wrong with it.
"""

"""What the served Python models compute: NumPy in, NumPy out.

    features      waveforms to what encoders take
    text          tokens to words to text, and when each word was said
    decoding      search over a graph's candidates, with hotwords and language models
    sensevoice    recordings to tags, text and words
    paraformer    recordings, perhaps with hotwords, to words
    streaming     audio that arrives in pieces to text that grows
    language_models  n-grams and decoding graphs, scored token by token
    alignment     texts and recordings to the times of the words
    speakers      recordings to vectors that tell voices apart
    vad           audio that arrives in pieces to segments of speech
    punctuation   texts to texts with marks
    sequences     requests that belong together, and what is kept between them
    config        a model's own settings

The docstring of each package says how data flows through it; the package exports what others use.
Nothing here imports Triton or a runtime: graphs are injected as functions, called by the names of
their inputs, so every part can be tested and reused without a server. `requests.py` holds a
package's services (`VadService` …): they answer the requests of one Triton model, keep what it
remembers, and give each request an answer or the exception that says what is wrong with it.
"""

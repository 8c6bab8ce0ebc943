//! `DTS:ObjectData`: what a hosted object (a task, a connection, an enumerator, a log provider) keeps of its own.

use super::connection::ConnectionData;
use super::object::Base;
use super::pipeline::Pipeline;
use super::tree::{Element, Node};

/// The data of a hosted object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObjectData {
    /// The common part.
    pub base: Base,
    /// What it holds, in order; nearly always one part.
    pub parts: Vec<Part>,
}

/// One part of the data of a hosted object.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// The data flow of a Data Flow task.
    Pipeline(Box<Pipeline>),
    /// The inner `DTS:ConnectionManager` of most connection managers.
    Connection(Box<ConnectionData>),
    /// Everything else.
    Node(Node),
}

crate::model::object::object!(dts ObjectData {});

impl ObjectData {
    /// Data that is one element: a task's, an enumerator's.
    pub fn from_element(element: Element) -> ObjectData {
        ObjectData { base: Base::default(), parts: vec![Part::Node(Node::Element(element))] }
    }

    /// The data of a Data Flow task.
    pub fn from_pipeline(pipeline: Pipeline) -> ObjectData {
        ObjectData { base: Base::default(), parts: vec![Part::Pipeline(Box::new(pipeline))] }
    }

    /// The data of a connection manager with the usual inner element.
    pub fn from_connection(data: ConnectionData) -> ObjectData {
        ObjectData { base: Base::default(), parts: vec![Part::Connection(Box::new(data))] }
    }

    /// The data flow, if there is one.
    pub fn pipeline(&self) -> Option<&Pipeline> {
        self.parts.iter().find_map(|part| match part {
            Part::Pipeline(pipeline) => Some(&**pipeline),
            _ => None,
        })
    }

    /// The data flow, to change it.
    pub fn pipeline_mut(&mut self) -> Option<&mut Pipeline> {
        self.parts.iter_mut().find_map(|part| match part {
            Part::Pipeline(pipeline) => Some(&mut **pipeline),
            _ => None,
        })
    }

    /// The inner connection manager, if there is one.
    pub fn connection(&self) -> Option<&ConnectionData> {
        self.parts.iter().find_map(|part| match part {
            Part::Connection(data) => Some(&**data),
            _ => None,
        })
    }

    /// The inner connection manager, to change it.
    pub fn connection_mut(&mut self) -> Option<&mut ConnectionData> {
        self.parts.iter_mut().find_map(|part| match part {
            Part::Connection(data) => Some(&mut **data),
            _ => None,
        })
    }

    /// The first element that is neither a data flow nor an inner connection manager: a task's or an enumerator's data.
    pub fn element(&self) -> Option<&Element> {
        self.parts.iter().find_map(|part| match part {
            Part::Node(Node::Element(element)) => Some(element),
            _ => None,
        })
    }

    /// That element, to change it.
    pub fn element_mut(&mut self) -> Option<&mut Element> {
        self.parts.iter_mut().find_map(|part| match part {
            Part::Node(Node::Element(element)) => Some(element),
            _ => None,
        })
    }
}
